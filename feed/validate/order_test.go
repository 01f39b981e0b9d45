package validate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestLateAndOutOfOrder: they are counted alike in windows that are equal and in
// those whose readings are compared one by one, and copies do not count.
func TestLateAndOutOfOrder(t *testing.T) {
	truth := plant(1, 2, 40, 2*time.Hour) // 20 an hour and tag
	for _, damaged := range []bool{false, true} {
		told := slices.Clone(truth)
		for i := range told {
			told[i].Arrived = told[i].Time + int64(time.Second)
		}
		told[10].Arrived += int64(time.Minute)
		told[50].Arrived += int64(time.Hour)
		first := told[4] // comes behind four later ones of its tag, which arrive in order
		told = slices.Insert(slices.Delete(told, 4, 5), 12, first)
		want := validate.Counts{Expected: 80, Observed: 80, Matched: 80, OutOfOrder: 1, Late: 2}
		if damaged { // both hours and tags
			for _, i := range []int{30, 31, 70, 71} {
				told[i].Value = reading.OfText("damaged")
			}
			copied := told[6] // a copy that comes late and out of order
			copied.Arrived += int64(time.Hour)
			told = slices.Insert(told, 20, copied)
			want = validate.Counts{Expected: 80, Observed: 81, Matched: 76, Altered: 4, Duplicate: 1, OutOfOrder: 1, Late: 2}
		}
		for _, records := range []int{1000, 10} {
			j := job(truth, told, 2)
			j.Rules.Late, j.MaxRecords = 30*time.Second, records
			j.o.Has = validate.Traits{Ordered: true, Arrival: true}
			res, _ := run(t, j)
			if res.Counts != want {
				t.Errorf("damaged %v, %d records: counts\n%+v, want\n%+v", damaged, records, res.Counts, want)
			}
			if res.Outcome != validate.Discrepant {
				t.Errorf("outcome %s", res.Outcome)
			}
			if l := res.Latency; l == nil || l.Count != want.Observed || l.Max != time.Hour+time.Second || l.P50 < time.Second || l.P50 > 1125*time.Millisecond {
				t.Errorf("latency %+v", l)
			}
		}
		// What a side does not tell, or the rules permit, is nothing.
		j := job(truth, told, 2)
		j.Rules.Late = 30 * time.Second
		if res, _ := run(t, j); res.Counts.Late != 0 || res.Counts.OutOfOrder != 0 || res.Latency != nil {
			t.Errorf("without traits: %+v", res.Counts)
		}
	}
}

// TestToleratedVerdictsAreReported: and do not make the outcome a bad one.
func TestToleratedVerdictsAreReported(t *testing.T) {
	truth := plant(1, 1, 10, time.Hour)
	made := truth[3]
	made.Seq = 99
	j := job(truth, append(slices.Clone(truth), truth[0], made), 1)
	j.Rules.Tolerate = []validate.Verdict{validate.Duplicate, validate.Extra}
	res, all := run(t, j)
	if res.Outcome != validate.Proven || len(all) != 2 || res.Counts.Duplicate != 1 || res.Counts.Extra != 1 || !says(res, "1 copy was observed beyond what is expected. The rules tolerate it.") {
		t.Errorf("outcome %s, %+v, %q", res.Outcome, res.Counts, res.Reasons)
	}
	j.Rules.Tolerate = []validate.Verdict{validate.Duplicate}
	if res, _ := run(t, j); res.Outcome != validate.Discrepant {
		t.Errorf("outcome %s", res.Outcome)
	}
}

// TestCopies: as many as both sides have are no discrepancy; what is beyond is.
func TestCopies(t *testing.T) {
	one := plant(1, 1, 1, time.Hour)[0]
	other := one
	other.Value = reading.OfInt(1)
	of := func(records ...validate.Record) []validate.Record { return records }
	for _, tt := range []struct {
		name string
		e, o []validate.Record
		want validate.Counts
	}{
		{"both twice", of(one, one), of(one, one), validate.Counts{Matched: 2}},
		{"expected twice", of(one, one), of(one), validate.Counts{Matched: 1, Repeated: 1}},
		{"expected thrice", of(one, one, one), of(one, one), validate.Counts{Matched: 2, Repeated: 1}},
		{"observed thrice", of(one), of(one, one, one), validate.Counts{Matched: 1, Duplicate: 2}},
		{"missing twice", of(one, one), nil, validate.Counts{Missing: 1, Repeated: 1}},
		{"extra twice", nil, of(one, one), validate.Counts{Extra: 1, Duplicate: 1}},
		{"altered twice", of(one), of(other, other), validate.Counts{Altered: 1, Duplicate: 1}},
		{"true and altered", of(one), of(other, one), validate.Counts{Matched: 1, Extra: 1}},
		{"two truths", of(one, other), of(one), validate.Counts{Matched: 1, Missing: 1}},
		{"all copies altered", of(one, one), of(other, other), validate.Counts{Altered: 1, Repeated: 1, Duplicate: 1}},
	} {
		res, _ := run(t, job(tt.e, tt.o, 1))
		tt.want.Expected, tt.want.Observed = int64(len(tt.e)), int64(len(tt.o))
		if res.Counts != tt.want {
			t.Errorf("%s: counts\n%+v, want\n%+v", tt.name, res.Counts, tt.want)
		}
	}
}

// TestSwappedTimes: each of two readings is found with the other's time.
func TestSwappedTimes(t *testing.T) {
	truth := plant(1, 1, 40, 4*time.Hour)
	told := slices.Clone(truth)
	told[3].Time, told[33].Time = told[33].Time, told[3].Time
	told[4].Time, told[5].Time = told[5].Time, told[4].Time
	for _, cells := range []int{1000, 1} {
		j := job(truth, told, 4)
		j.MaxCells = cells
		res, all := run(t, j)
		if want := (validate.Counts{Expected: 40, Observed: 40, Matched: 36, Altered: 4}); res.Counts != want || len(all) != 4 {
			t.Fatalf("counts %+v", res.Counts)
		}
		for _, d := range all {
			if !slices.Equal(d.Fields, []string{"time"}) || d.Expected == nil || d.Observed == nil || !d.Expected.Time.Equal(d.Time) || d.Observed.Time.Equal(d.Time) {
				t.Errorf("%+v", d)
			}
		}
	}
	// How they came counts as of any other that was expected.
	for i := range told {
		told[i].Arrived = told[i].Time
	}
	told[3].Arrived += int64(time.Hour)
	j := job(truth, told, 4)
	j.Rules.Late = time.Minute
	j.o.Has = validate.Traits{Arrival: true, Ordered: true}
	if res, _ := run(t, j); res.Counts.Late != 1 || res.Counts.OutOfOrder == 0 {
		t.Errorf("counts %+v", res.Counts)
	}
	// Without sequence numbers values have been swapped.
	j = job(truth, told, 4)
	j.Rules.Ignore = []validate.Field{validate.FieldSeq}
	_, all := run(t, j)
	for _, d := range all {
		if d.Verdict != validate.Altered || !slices.Equal(d.Fields, []string{"value"}) {
			t.Errorf("%+v", d)
		}
	}
	if len(all) != 4 {
		t.Errorf("%d discrepancies", len(all))
	}
}
