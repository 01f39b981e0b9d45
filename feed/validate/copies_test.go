package validate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestLossAmongEqualReadingsIsMissing: what the rules take for equal is no copy of
// another reading, so that a loss is not explained away.
func TestLossAmongEqualReadingsIsMissing(t *testing.T) {
	coarse := func(p *pair) {
		p.Rules.Time, p.Rules.Ignore = time.Second, []validate.Field{validate.FieldSeq}
	}
	for name, change := range map[string]func(*pair){
		"rules":            coarse,
		"a coarse place":   func(p *pair) { p.o.Has = validate.Traits{TimeStep: time.Second, Lost: []string{"seq"}} },
		"with a tolerance": func(p *pair) { coarse(p); p.Rules.Tolerance.Absolute = .5 },
	} {
		truth := plant(1, 1, 6000, 10*time.Minute) // ten a second
		var told []validate.Record
		for i := range truth {
			truth[i].Value = reading.OfFloat(1)
			if i%10 == 3 {
				told = append(told, truth[i])
			}
		}
		p := job(truth, told, 1)
		change(p)
		res, all := run(t, p)
		if want := (validate.Counts{Expected: 6000, Observed: 600, Matched: 600, Missing: 5400}); res.Counts != want || res.Outcome != validate.Discrepant {
			t.Errorf("%s: outcome %s, counts\n%+v, want\n%+v", name, res.Outcome, res.Counts, want)
		}
		// Those that were observed are not among those that are named.
		for _, d := range all {
			if d.Seq%10 == 4 {
				t.Errorf("%s: %s is called %s", name, d.Time, d.Verdict)
				break
			}
		}
	}
}

// TestCopiesAmongEqualReadings: what is told twice is not missing, and what is told
// once has a counterpart before what is told twice.
func TestCopiesAmongEqualReadings(t *testing.T) {
	truth := plant(1, 1, 10, time.Second)
	for i := range truth {
		truth[i].Value = reading.OfFloat(1)
	}
	for _, tolerance := range []float64{0, .5} {
		p := job(slices.Concat(truth, truth, truth[:3]), slices.Concat(truth[:4], truth[:4]), 1)
		p.Rules.Time, p.Rules.Ignore, p.Rules.Tolerance.Absolute = time.Second, []validate.Field{validate.FieldSeq}, tolerance
		res, all := run(t, p)
		if want := (validate.Counts{Expected: 23, Observed: 8, Matched: 8, Missing: 2, Repeated: 13}); res.Counts != want || len(all) != 2 {
			t.Errorf("tolerance %v: counts\n%+v, want\n%+v, %d discrepancies", tolerance, res.Counts, want, len(all))
		}
		p = job(slices.Concat(truth, truth), truth, 1)
		p.Rules.Time, p.Rules.Ignore, p.Rules.Tolerance.Absolute = time.Second, []validate.Field{validate.FieldSeq}, tolerance
		res, _ = run(t, p)
		if want := (validate.Counts{Expected: 20, Observed: 10, Matched: 10, Repeated: 10}); res.Counts != want || res.Outcome != validate.Proven {
			t.Errorf("tolerance %v: outcome %s, counts\n%+v, want\n%+v", tolerance, res.Outcome, res.Counts, want)
		}
	}
}
