package validate_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestInterruptedRunGoesOn: what a run has found that was interrupted, wherever that
// was, another one adds to, and ends with the same result. Nothing that is done is
// read again.
func TestInterruptedRunGoesOn(t *testing.T) {
	const hours = 8
	broken := errors.New("the network broke")
	wentOn := false
	for seed := range uint64(40) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		truth := plant(3, 2, 100, hours*time.Hour)
		l := lieAbout(rnd, truth, hours)
		whole := job(truth, l.told, hours)
		want, wantAll := run(t, whole)

		j := job(truth, l.told, hours)
		j.MaxCells = 6 + rnd.IntN(30)
		j.State = filepath.Join(t.TempDir(), "state.json")
		var all []validate.Discrepancy
		j.Discrepancy = func(d validate.Discrepancy) error { all = append(all, d); return nil }
		left := 1 + rnd.IntN(6)
		j.o.onRead = func(int, validate.Query) error {
			if left--; left == 0 {
				return broken
			}
			return nil
		}
		_, err := validate.Run(t.Context(), j.Job)
		if err == nil {
			continue // it took fewer reads
		}
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), "reading the observation copied the copy") {
			t.Fatalf("seed %d: error %v", seed, err)
		}
		reads := len(j.o.queries)
		res, err := validate.Run(t.Context(), j.Job)
		if err != nil {
			t.Fatal(err)
		}
		if i := slices.IndexFunc(res.Rules, func(s string) bool { return strings.HasPrefix(s, "This run went on with what one had found") }); i >= 0 {
			res.Rules = slices.Delete(res.Rules, i, i+1)
			wentOn = wentOn || j.o.queries[reads].From.After(start)
		} else if !j.o.queries[reads].From.Equal(start) {
			t.Errorf("seed %d: the second run began at %s, and did not say why", seed, j.o.queries[reads].From)
		}
		for _, r := range []*validate.Result{want, res} {
			r.Started, r.Finished = time.Time{}, time.Time{}
			r.Expectation.Costs, r.Observation.Costs = validate.Costs{}, validate.Costs{}
		}
		if a, b := asJSON(t, want), asJSON(t, res); a != b {
			t.Fatalf("seed %d: in two runs\n%s\nand in one\n%s", seed, b, a)
		}
		// Those of the slice in which the first run was interrupted come twice.
		found := liesOf(all)
		for _, is := range liesOf(wantAll) {
			if !slices.Contains(found, is) {
				t.Errorf("seed %d: not told: %+v", seed, is)
			}
		}
		if _, err := os.Stat(j.State); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("seed %d: the state of a run that ended: %v", seed, err)
		}
	}
	if !wentOn {
		t.Error("no run went on with what another had found")
	}
}

// TestWhatWasOpenIsLookedAtAgain: and only that, as long as nothing is wrong.
func TestWhatWasOpenIsLookedAtAgain(t *testing.T) {
	truth := plant(2, 2, 80, 4*time.Hour)
	j := job(truth, truth, 4)
	j.State = filepath.Join(t.TempDir(), "state.json")
	j.e.SetWatermark(start.Add(3*time.Hour + 10*time.Minute))
	res, _ := run(t, j)
	if res.Outcome != validate.Open || res.Counts.Matched != 240 {
		t.Fatalf("outcome %s, %+v", res.Outcome, res.Counts)
	}
	reads := len(j.o.queries)
	j.e.SetWatermark(start.Add(5 * time.Hour))
	res, _ = run(t, j)
	if res.Outcome != validate.Proven || res.Counts.Matched != 320 {
		t.Errorf("outcome %s, %+v", res.Outcome, res.Counts)
	}
	for _, q := range append(j.e.queries[reads:], j.o.queries[reads:]...) {
		if q.From.Before(start.Add(3 * time.Hour)) {
			t.Errorf("what is done was read again: %+v", q)
		}
	}
	if _, err := os.Stat(j.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state of a proof: %v", err)
	}

	// What was wrong may have been repaired: all is read again.
	j = job(truth, truth[1:], 4)
	j.State = filepath.Join(t.TempDir(), "state.json")
	j.e.SetWatermark(start.Add(3*time.Hour + 10*time.Minute))
	if res, _ := run(t, j); res.Outcome != validate.Discrepant {
		t.Errorf("outcome %s", res.Outcome)
	}
	j.o.Put(truth[0])
	if res, _ := run(t, j); res.Outcome != validate.Open || res.Counts.Matched != 240 {
		t.Errorf("after a repair: outcome %s, %+v", res.Outcome, res.Counts)
	}
}

// TestStateOfAnotherJobIsRefused: and what is no state.
func TestStateOfAnotherJobIsRefused(t *testing.T) {
	truth := plant(1, 1, 20, 2*time.Hour)
	of := func(change func(*pair)) *pair {
		j := job(truth, truth, 2)
		j.e.SetWatermark(start.Add(70 * time.Minute))
		change(j)
		return j
	}
	for name, change := range map[string]func(*pair){
		"another device":       func(p *pair) { p.Device = "press0" },
		"another range":        func(p *pair) { p.To = p.To.Add(time.Hour) },
		"another rule":         func(p *pair) { p.Rules.Strings = validate.StringsNFC },
		"another place":        func(p *pair) { p.o.Name = "another copy" },
		"another stage":        func(p *pair) { p.ObserveName = "another" },
		"another trait":        func(p *pair) { p.o.Has.Lost = []string{"line"} },
		"another way to read":  func(p *pair) { p.o.Has.Identity = "another prefix" },
		"another way to ask":   func(p *pair) { p.e.Has.Identity = "another tenant" },
		"another unit of time": func(p *pair) { p.o.Has.TimeStep = time.Microsecond },
	} {
		file := filepath.Join(t.TempDir(), "state.json")
		j := of(func(p *pair) { p.State = file })
		run(t, j)
		if _, err := os.Stat(file); err != nil {
			t.Fatal(err)
		}
		change(j)
		if _, err := validate.Run(t.Context(), j.Job); err == nil || !strings.Contains(err.Error(), "remove it") || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "state.json")
	for _, text := range []string{"", "{", "[]", "{}", `{"job":"x"}`, `{"format":"png","job":"x"}`, `{"format":3}`} {
		for _, anew := range []bool{false, true} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			j := of(func(p *pair) { p.State, p.Anew = file, anew })
			if _, err := validate.Run(t.Context(), j.Job); err == nil || !strings.Contains(err.Error(), file+" is not the state of a validation: name another file") || errors.Is(err, validate.ErrOtherState) {
				t.Errorf("state %q: error %v", text, err)
			}
			if now, err := os.ReadFile(file); err != nil || string(now) != text {
				t.Errorf("%q became %q, %v", text, now, err)
			}
		}
	}
	j := of(func(p *pair) { p.State = filepath.Join(file, "under", "a file") })
	if _, err := validate.Run(t.Context(), j.Job); err == nil {
		t.Error("a state that cannot be kept is no error")
	}
}

// TestAnewReplacesAState: at once, so that nothing goes on with what was kept.
func TestAnewReplacesAState(t *testing.T) {
	truth := plant(1, 1, 40, 2*time.Hour)
	broken := errors.New("the network broke")
	p := job(truth, truth, 2)
	p.State = filepath.Join(t.TempDir(), "state.json")
	p.e.SetWatermark(start.Add(70 * time.Minute))
	run(t, p)
	other := job(truth, truth[1:], 2)
	other.State, other.Anew, other.Device = p.State, true, "press0"
	other.o.onRead = func(int, validate.Query) error { return broken }
	if _, err := validate.Run(t.Context(), other.Job); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := validate.Run(t.Context(), p.Job); !errors.Is(err, validate.ErrOtherState) {
		t.Errorf("the state is not that of the other job: %v", err)
	}
	other.o.onRead, other.Anew = nil, false
	if res, _ := run(t, other); res.Outcome != validate.Discrepant || res.Counts.Missing != 1 {
		t.Errorf("outcome %s, %+v", res.Outcome, res.Counts)
	}
	if _, err := os.Stat(p.State); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state of a run that ended: %v", err)
	}

	// Of the same job: all is read.
	p = job(truth, truth, 2)
	p.State = filepath.Join(t.TempDir(), "state.json")
	p.e.SetWatermark(start.Add(70 * time.Minute))
	run(t, p)
	reads := len(p.o.queries)
	p.Anew = true
	run(t, p)
	if !p.o.queries[reads].From.Equal(start) {
		t.Errorf("it went on with %+v", p.o.queries[reads])
	}
}

// TestOnlyAStateIsRemoved: not a file that came meanwhile.
func TestOnlyAStateIsRemoved(t *testing.T) {
	truth := plant(1, 1, 20, time.Hour)
	p := job(truth, truth, 1)
	p.State = filepath.Join(t.TempDir(), "precious.json")
	p.e.SetWatermark(time.Time{}) // nothing can be judged, and nothing is kept
	p.o.onRead = func(int, validate.Query) error { return os.WriteFile(p.State, []byte("{}"), 0o600) }
	run(t, p)
	if b, err := os.ReadFile(p.State); err != nil || string(b) != "{}" {
		t.Errorf("%q, %v", b, err)
	}
}
