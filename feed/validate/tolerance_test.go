package validate_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestTolerance: what differs within it matches, what differs by the least more is
// altered, and a copy that differs within it is a copy.
func TestTolerance(t *testing.T) {
	truth := plant(1, 1, 30, time.Hour)
	told := slices.Clone(truth)
	set := func(i int, f float64) { told[i].Value = reading.OfFloat(f) }
	for i := range told { // as through single precision
		set(i, float64(float32(told[i].Value.Float())))
	}
	set(7, truth[7].Value.Float()+.25)
	beyond := truth[8].Value.Float() + .25
	for beyond-truth[8].Value.Float() <= .25 {
		beyond = math.Nextafter(beyond, 100)
	}
	set(8, beyond)
	told[9].Quality = "bad" // is not tolerated, whatever the value is
	near, far := truth[10], truth[11]
	near.Value, far.Value = reading.OfFloat(10.2), reading.OfFloat(12)
	told = append(told, near, far)
	j := job(truth, told, 1)
	j.Rules.Tolerance.Absolute = .25
	res, all := run(t, j)
	if want := (validate.Counts{Expected: 30, Observed: 32, Matched: 28, Altered: 2, Extra: 1, Duplicate: 1}); res.Counts != want {
		t.Errorf("counts %+v", res.Counts)
	}
	for _, d := range all {
		if d.Verdict == validate.Altered && !slices.Equal(d.Fields, map[uint64][]string{9: {"value"}, 10: {"quality"}}[d.Seq]) {
			t.Errorf("seq %d: fields %q", d.Seq, d.Fields)
		}
	}
	if !slices.Contains(res.Rules, "Numbers of which one is a float may differ by 0.25.") {
		t.Errorf("rules %q", res.Rules)
	}
	// Without it each is altered.
	j.Rules.Tolerance = validate.Tolerance{}
	if res, _ := run(t, j); res.Counts.Altered < 28 {
		t.Errorf("counts %+v", res.Counts)
	}
}

// TestNearestNeighboursAreNotMixedUp: without sequence numbers several readings may have
// one time; each finds what is equal first, and only then what is near.
func TestNearestNeighboursAreNotMixedUp(t *testing.T) {
	of := func(values ...float64) []validate.Record {
		var records []validate.Record
		for i, v := range values {
			r := plant(1, 1, 1, time.Hour)[0]
			r.Seq, r.Value = uint64(i), reading.OfFloat(v)
			records = append(records, r)
		}
		return records
	}
	j := job(of(1, 1.1, 5), of(1.1, 1.2, 7), 1)
	j.Rules.Ignore = []validate.Field{validate.FieldSeq}
	j.Rules.Tolerance.Absolute = .21
	res, all := run(t, j)
	if want := (validate.Counts{Expected: 3, Observed: 3, Matched: 2, Altered: 1}); res.Counts != want || len(all) != 1 || all[0].Expected.Text != "5.0" || all[0].Observed.Text != "7.0" {
		t.Errorf("counts %+v, %+v", res.Counts, all)
	}
}

// TestMovedIntoAnEmptyWindow: the window in which a reading is found with another time
// is not one of its own.
func TestMovedIntoAnEmptyWindow(t *testing.T) {
	truth := plant(2, 1, 10, time.Hour)
	told := slices.Clone(truth)
	told[4].Time += int64(5 * time.Hour)
	res, all := run(t, job(truth, told, 8))
	if want := (validate.Counts{Expected: 20, Observed: 20, Matched: 19, Altered: 1}); res.Counts != want || res.Windows != 2 || len(all) != 1 {
		t.Errorf("counts %+v in %d windows, %+v", res.Counts, res.Windows, all)
	}
	if len(res.Problems) != 1 || !res.Problems[0].From.Equal(start) {
		t.Errorf("problems %+v", res.Problems)
	}
	// A reading without a sequence number cannot be recognised.
	truth[4].Seq, told[4].Seq = 0, 0
	res, _ = run(t, job(truth, told, 8))
	if want := (validate.Counts{Expected: 20, Observed: 20, Matched: 19, Missing: 1, Extra: 1}); res.Counts != want || res.Windows != 3 {
		t.Errorf("counts %+v in %d windows", res.Counts, res.Windows)
	}
}

// TestSequenceThatBeganAgain: a number that comes twice is found once with another
// time.
func TestSequenceThatBeganAgain(t *testing.T) {
	truth := plant(1, 1, 20, 4*time.Hour)
	for i := range truth {
		truth[i].Seq = uint64(1 + i%10)
	}
	told := slices.Concat(truth[:3], truth[4:13], truth[14:])
	moved := truth[3]
	moved.Time++
	res, all := run(t, job(truth, append(told, moved), 4))
	if want := (validate.Counts{Expected: 20, Observed: 19, Matched: 18, Altered: 1, Missing: 1}); res.Counts != want || len(all) != 2 {
		t.Errorf("counts %+v, %+v", res.Counts, all)
	}
	res, _ = run(t, job(truth, told, 4))
	if want := (validate.Counts{Expected: 20, Observed: 18, Matched: 18, Missing: 2}); res.Counts != want {
		t.Errorf("counts %+v", res.Counts)
	}
}
