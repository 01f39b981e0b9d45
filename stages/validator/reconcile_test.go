package validator

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// compared makes a run, and returns the windows that it asked the expectation for.
func (r *rig) compared(t testing.TB, want validate.Outcome) []string {
	t.Helper()
	r.expect.asked()
	worst, err := r.reconcile(t.Context())
	if err != nil || worst != want {
		t.Fatalf("the run found %q, %v, want %q", worst, err, want)
	}
	return r.expect.asked()
}

// expectAll makes readings expected, up to the time to which the clock is put, with a
// watermark at that time.
func (r *rig) expectAll(until time.Time, rs ...reading.Reading) {
	r.expect.put(rs...)
	r.clock.add(until.Sub(r.clock.now()))
	r.expect.SetWatermark(until)
}

func check(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v were compared, want %v", what, got, want)
	}
}

// TestJudgedOnce: a window is judged when the watermark has passed it, and not again
// until readings of its time arrive; also across restarts.
func TestJudgedOnce(t *testing.T) {
	r := newRig(t, nil)
	rs := every(time.Minute, "press7", noon, 180)
	check(t, "without a watermark", r.compared(t, validate.Proven))
	r.store(t, rs[:90]...)
	r.expectAll(noon.Add(61*time.Minute), rs...)
	check(t, "an hour", r.compared(t, validate.Proven), "12:00-13:00")
	check(t, "at once again", r.compared(t, validate.Proven))
	r.expectAll(noon.Add(70 * time.Minute))
	check(t, "lateness has not passed", r.compared(t, validate.Proven))
	r.expectAll(noon.Add(82 * time.Minute))
	r.reopen(t)
	check(t, "after a restart", r.compared(t, validate.Proven), "13:00-13:20")
	r.reopen(t)
	check(t, "after another", r.compared(t, validate.Proven))

	r.expectAll(noon.Add(101 * time.Minute))
	check(t, "ten readings lack", r.compared(t, validate.Discrepant), "13:20-13:40")
	check(t, "they still do", r.compared(t, validate.Proven))
	if g := r.Gauges(); g["readings_missing"] != 10 || g["completeness_ratio"] != .9 || g["windows_undecided"] != 0 {
		t.Errorf("figures %v", g)
	}
	r.store(t, rs[90:100]...)
	r.crash(t) // the next process finds out what arrived
	check(t, "they have come", r.compared(t, validate.Proven), "13:20-13:40")
	if g := r.Gauges(); g["readings_missing"] != 0 || g["completeness_ratio"] != 1 || g["readings_matched"] != 100 {
		t.Errorf("figures %v", g)
	}

	extra := every(time.Minute, "press9", noon.Add(5*time.Minute), 1)
	r.store(t, append(extra, rs[100:]...)...)
	r.expectAll(noon.Add(171 * time.Minute))
	check(t, "one came that nobody expected", r.compared(t, validate.Discrepant), "12:00-13:00", "13:40-14:40", "14:40-14:50")
	if g := r.Gauges(); g["readings_extra"] != 1 || g["readings_expected"] != 170 {
		t.Errorf("figures %v", g)
	}
}

// TestDisturbed: what arrives while its window is compared has it compared again.
func TestDisturbed(t *testing.T) {
	r := newRig(t, nil)
	rs := every(time.Minute, "press7", noon, 20)
	r.store(t, rs...)
	r.expectAll(noon.Add(21*time.Minute), rs...)
	once := false
	r.expect.on(func(context.Context) error {
		if !once {
			once = true
			r.store(t, rs[0])
		}
		return nil
	})
	check(t, "during a copy", r.compared(t, validate.Proven), "12:00-12:20")
	check(t, "after it", r.compared(t, validate.Proven), "12:00-12:20")
	check(t, "then", r.compared(t, validate.Proven))
	if g := r.Gauges(); g["readings_duplicate"] != 1 {
		t.Errorf("figures %v", g)
	}
}

// TestBeforeTheSink: windows that began before the sink did are not judged: it has
// not seen all of them.
func TestBeforeTheSink(t *testing.T) {
	r := newRig(t, nil)
	r.clock.add(5 * time.Minute)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	r.config.Path = t.TempDir()
	r.open(t)
	rs := every(time.Minute, "press7", noon, 30)
	r.store(t, rs[5:]...)
	r.expectAll(noon.Add(31*time.Minute), rs...)
	check(t, "begun at 12:05", r.compared(t, validate.Proven), "12:10-12:30")
}

// TestOtherRules: what was found by other rules does not count.
func TestOtherRules(t *testing.T) {
	r := newRig(t, nil)
	rs := every(time.Minute, "press7", noon, 20)
	r.store(t, rs...)
	r.expectAll(noon.Add(21*time.Minute), rs...)
	check(t, "at first", r.compared(t, validate.Proven), "12:00-12:20")
	r.config.Rules.Numbers = validate.NumbersTyped
	r.reopen(t)
	check(t, "by other rules", r.compared(t, validate.Proven), "12:00-12:20")
}

// TestUndecided: of what the expectation cannot read nothing is said, and it is asked
// again until it can; an hour of which nothing is expected is settled.
func TestUndecided(t *testing.T) {
	r := newRig(t, nil)
	rs := every(time.Minute, "press7", noon, 20)
	r.store(t, rs[:19]...)
	_, end := r.kept.Load().store.snapshot()
	r.store(t, rs[19])
	damage(t, r, -3)
	r.expectAll(noon.Add(21*time.Minute), rs...)
	check(t, "what cannot be read", r.compared(t, validate.Open), "12:00-12:20")
	check(t, "it still cannot", r.compared(t, validate.Open), "12:00-12:20")
	if g := r.Gauges(); g["windows_undecided"] != 2 || g["oldest_undecided_seconds"] != 11*60 || g["readings_undecided"] != 1 || g["readings_missing"] != 0 {
		t.Errorf("figures %v", g)
	}
	damage(t, r, -3)
	if _, now := r.kept.Load().store.snapshot(); now == end {
		t.Fatal("nothing was stored")
	}
	check(t, "it can", r.compared(t, validate.Proven), "12:00-12:20")
	r.expectAll(noon.Add(41 * time.Minute))
	check(t, "nothing is expected", r.compared(t, validate.Proven), "12:20-12:40")
	check(t, "and it was", r.compared(t, validate.Proven))

	r.expectAll(noon.Add(61 * time.Minute))
	r.expect.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "a page"}, Err: errors.New("torn")})
	check(t, "nothing is told, and there may be something", r.compared(t, validate.Open), "12:40-13:00")
	check(t, "which is not settled", r.compared(t, validate.Open), "12:40-13:00")
}

// TestFailure: a run that fails is counted and disturbs nothing; the next one makes up
// for it.
func TestFailure(t *testing.T) {
	r := newRig(t, nil)
	rs := every(time.Minute, "press7", noon, 20)
	r.expectAll(noon.Add(21*time.Minute), rs...)
	r.expect.on(func(context.Context) error { return errors.New("not today") })
	r.run(t.Context())
	r.run(t.Context())
	r.store(t, rs...)
	if e, g := r.Events(), r.Gauges(); e[eventFailed] != 2 || e[eventRun] != 0 || g["last_run_outcome"] != 2 || g["windows_undecided"] != 2 {
		t.Errorf("events %v, figures %v", e, g)
	}
	r.expect.on(nil)
	r.run(t.Context())
	if e, g := r.Events(), r.Gauges(); e[eventFailed] != 2 || e[eventRun] != 1 || g["last_run_outcome"] != 0 || g["windows_undecided"] != 0 ||
		g["last_run_timestamp_seconds"] != float64(noon.Unix()+21*60) {
		t.Errorf("events %v, figures %v", e, g)
	}
}

// TestReports: a page and a document of each comparison, the last hundred, and the
// latest under a name of its own.
func TestReports(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports")
	r := newRig(t, func(c *Config) { c.Report = dir })
	for i := range keptReports + 3 {
		rs := every(time.Minute, "press7", noon.Add(time.Duration(i)*10*time.Minute), 10)
		r.store(t, rs...)
		r.expectAll(noon.Add(time.Duration(i)*10*time.Minute+11*time.Minute), rs...)
		r.compared(t, validate.Proven)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2*keptReports+2 {
		t.Errorf("%d reports, want %d", len(entries), 2*keptReports+2)
	}
	b, err := os.ReadFile(filepath.Join(dir, "latest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var result validate.Result
	if err := json.Unmarshal(b, &result); err != nil || result.Counts.Matched != 10 || !result.To.Equal(noon.Add((keptReports+3)*10*time.Minute)) {
		t.Errorf("the latest is %+v, %v", result, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, entries[len(entries)-2].Name()))
	if err != nil || !strings.Contains(string(page), "<html") && !strings.Contains(string(page), `"outcome"`) {
		t.Errorf("%s: %v", entries[len(entries)-2], err)
	}
	if _, err := os.Stat(filepath.Join(dir, "validation_20261121T120000Z_20261121T121000Z.html")); !os.IsNotExist(err) {
		t.Errorf("the oldest is there: %v", err)
	}
}

// TestSchedule: the first run comes within a minute, the others as often as is said,
// and Close ends one that goes on.
func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := DefaultConfig()
		c.Path, c.Every, c.Window, c.Lateness = t.TempDir(), 10*time.Minute, time.Minute, 0
		e := &watched{}
		e.SetWatermark(time.Now().AddDate(1, 0, 0))
		c.Expect = truth(e)
		s, err := NewSink(c, feed.StageEnv{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		runs := func() uint64 { synctest.Wait(); return s.Events()[eventRun] }
		<-time.After(firstRun + time.Nanosecond)
		if n := runs(); n != 1 {
			t.Errorf("%d runs after a minute", n)
		}
		<-time.After(35 * time.Minute)
		if n := runs(); n != 4 {
			t.Errorf("%d runs after 36 minutes", n)
		}
		e.on(func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		<-time.After(10 * time.Minute)
		synctest.Wait()
		began := time.Now()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v", took)
		}
		if !e.closed {
			t.Error("the expectation was not closed")
		}
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
		if e := s.Events(); e[eventFailed] != 0 {
			t.Errorf("a run that was ended counts as failed: %v", e)
		}
	})
}

// TestWildClocks: readings of any time, of a device whose clock runs wild, have no other
// window judged again, hold no segment, and close no window that comes.
func TestWildClocks(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Retention = 3 * time.Hour; c.Every = time.Minute })
	rs := every(time.Minute, "press7", noon, 12*60)
	r.store(t, rs[:30]...)
	r.expectAll(noon.Add(31*time.Minute), rs...)
	check(t, "at first", r.compared(t, validate.Proven), "12:00-12:30")
	wild := every(5*365*24*time.Hour, "press9", noon.AddDate(-250, 0, 0), 95)
	r.store(t, wild...)
	check(t, "with wild ones", r.compared(t, validate.Proven))
	for i := 30; i < 60; i += 10 {
		r.store(t, rs[i:i+10]...)
	}
	r.expectAll(noon.Add(61 * time.Minute))
	check(t, "then", r.compared(t, validate.Proven), "12:30-13:00")
	segments, _ := r.kept.Load().store.snapshot()
	if !r.kept.Load().judgements.settled(segments[0].due()) {
		t.Error("the segment waits for windows that are not there yet")
	}
	// All of this is dropped, and what comes is judged all the same.
	r.clock.add(28 * time.Hour)
	r.store(t, every(time.Minute, "press7", r.clock.now(), 1)...)
	if got := observed(t, r); len(got) != 1 {
		t.Fatalf("%d readings are left after a day", len(got))
	}
	from := r.clock.now().Truncate(10 * time.Minute).Add(10 * time.Minute)
	later := every(time.Minute, "press7", from, 20)
	r.store(t, later[:19]...)
	r.expectAll(from.Add(21*time.Minute), later...)
	if got, n := r.compared(t, validate.Discrepant), len(later); len(got) == 0 || n != 20 {
		t.Errorf("%v were compared", got)
	}
	if g := r.Gauges(); g["readings_missing"] != 1 {
		t.Errorf("figures %v", g)
	}
}

// TestAWatermarkOfTheFarFuture, beyond what nanoseconds hold, vouches for all there is.
func TestAWatermarkOfTheFarFuture(t *testing.T) {
	r := newRig(t, nil)
	rs := every(time.Minute, "press7", noon, 20)
	r.store(t, rs[:19]...)
	r.expectAll(noon.Add(21*time.Minute), rs...)
	r.expect.SetWatermark(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC))
	check(t, "all", r.compared(t, validate.Discrepant), "12:00-12:20")
}
