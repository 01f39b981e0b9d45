package validate_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// wavering has a watermark after the other; the last one stays.
type wavering struct {
	*memory
	marks []time.Time
}

func (w *wavering) Watermark(context.Context) (time.Time, error) {
	mark := w.marks[0]
	if len(w.marks) > 1 {
		w.marks = w.marks[1:]
	}
	return mark, nil
}

// TestStateOfABrokenPromiseIsNotKept: windows that were judged before the watermark
// went back are judged again.
func TestStateOfABrokenPromiseIsNotKept(t *testing.T) {
	truth := plant(2, 2, 120, 2*time.Hour)
	early := truth[1:] // what the expectation tells at first
	p := job(early, early, 2)
	p.State = filepath.Join(t.TempDir(), "state.json")
	p.Expect = &wavering{p.e, []time.Time{start.Add(70 * time.Minute), start.Add(30 * time.Minute)}}
	if res, _ := run(t, p); res.Outcome != validate.Open || !says(res, "went back from") {
		t.Errorf("outcome %s for %q", res.Outcome, res.Reasons)
	}
	if _, err := os.Stat(p.State); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is kept: %v", err)
	}
	again := job(truth, early, 2)
	again.State = p.State
	if res, _ := run(t, again); res.Outcome != validate.Discrepant || res.Counts.Missing != 1 {
		t.Errorf("then: outcome %s, %+v", res.Outcome, res.Counts)
	}
}

// TestLowerWatermarkBeginsAnew: a run that was interrupted did not ask whether the
// watermark has held.
func TestLowerWatermarkBeginsAnew(t *testing.T) {
	const hours = 4
	broken := errors.New("the network broke")
	truth := plant(2, 2, 240, hours*time.Hour)
	early := truth[1:]
	for _, tt := range []struct {
		name  string
		mark  time.Time
		anew  bool
		wants validate.Outcome
	}{
		{"lower", start.Add(2*time.Hour + 10*time.Minute), true, validate.Discrepant},
		{"none", time.Time{}, true, validate.Open},
		{"the same", start.Add(5 * time.Hour), false, validate.Proven},
		{"higher", start.Add(6 * time.Hour), false, validate.Proven},
	} {
		p := job(early, early, hours)
		p.State, p.MaxCells = filepath.Join(t.TempDir(), "state.json"), 4 // a window at a time
		p.e.SetWatermark(start.Add(5 * time.Hour))
		p.o.onRead = func(_ int, q validate.Query) error {
			if !q.From.Before(start.Add(3 * time.Hour)) {
				return broken
			}
			return nil
		}
		if _, err := validate.Run(t.Context(), p.Job); !errors.Is(err, broken) {
			t.Fatal(err)
		}
		if _, err := os.Stat(p.State); err != nil {
			t.Fatal(err)
		}
		again := job(truth, early, hours)
		again.State, again.MaxCells = p.State, p.MaxCells
		again.e.SetWatermark(tt.mark)
		res, _ := run(t, again)
		if anew := again.o.queries[0].From.Equal(start); anew != tt.anew || res.Outcome != tt.wants {
			t.Errorf("%s: began anew: %v, outcome %s for %q", tt.name, anew, res.Outcome, res.Reasons)
		}
	}
}

// TestLowerWatermarkIsRemembered: what was judged too early stays so, also when the run
// that noticed it was interrupted and the watermark is there again.
func TestLowerWatermarkIsRemembered(t *testing.T) {
	broken := errors.New("the network broke")
	truth := plant(1, 1, 120, 2*time.Hour)
	early := truth[1:]
	p := job(early, early, 2)
	p.State = filepath.Join(t.TempDir(), "state.json")
	p.e.SetWatermark(start.Add(70 * time.Minute))
	run(t, p)
	p.e.SetWatermark(start.Add(30 * time.Minute))
	p.o.onRead = func(int, validate.Query) error { return broken }
	if _, err := validate.Run(t.Context(), p.Job); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	again := job(truth, early, 2)
	again.State = p.State
	if res, _ := run(t, again); res.Outcome != validate.Discrepant || res.Counts.Missing != 1 {
		t.Errorf("outcome %s, %+v", res.Outcome, res.Counts)
	}
}

// TestStateWithDoubtsIsNotKept: what could not be read may be readable by then.
func TestStateWithDoubtsIsNotKept(t *testing.T) {
	truth := plant(1, 1, 120, 2*time.Hour)
	for name, side := range map[string]func(*pair) *memory{
		"expectation": func(p *pair) *memory { return p.e },
		"observation": func(p *pair) *memory { return p.o },
	} {
		p := job(truth, truth, 2)
		p.State = filepath.Join(t.TempDir(), "state.json")
		p.e.SetWatermark(start.Add(70 * time.Minute))
		side(p).PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "a"}, Err: errors.New("garbage")})
		if res, _ := run(t, p); res.Outcome != validate.Open {
			t.Errorf("%s: outcome %s", name, res.Outcome)
		}
		if _, err := os.Stat(p.State); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: it is kept: %v", name, err)
		}
	}
}
