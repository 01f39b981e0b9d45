package validate_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

func says(res *validate.Result, text string) bool {
	return slices.ContainsFunc(res.Reasons, func(reason string) bool { return strings.Contains(reason, text) })
}

// TestWhatTheWatermarkHasNotPassedIsOpen: windows are judged when the watermark is
// beyond their end by the lateness, not a nanosecond before.
func TestWhatTheWatermarkHasNotPassedIsOpen(t *testing.T) {
	truth := plant(2, 1, 60, 3*time.Hour) // 20 an hour and device
	for _, tt := range []struct {
		watermark time.Time
		undecided int64
		reason    string
	}{
		{time.Time{}, 120, "has no watermark yet: the time from 2026-11-21T06:00:00Z on waits"},
		{start, 120, "watermark is at 2026-11-21T06:00:00Z"},
		{start.Add(70*time.Minute - 1), 120, "the time from 2026-11-21T06:00:00Z on"},
		{start.Add(70 * time.Minute), 80, "the time from 2026-11-21T07:00:00Z on"},
		{start.Add(190*time.Minute - 1), 40, "the time from 2026-11-21T08:00:00Z on"},
		{start.Add(190 * time.Minute), 0, ""},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 0, ""},
	} {
		j := job(truth, truth, 3)
		j.e.SetWatermark(tt.watermark)
		res, all := run(t, j)
		if res.Counts.Undecided != tt.undecided || res.Counts.Matched != 120-tt.undecided || res.Counts.Observed != 120 || len(all) != 0 {
			t.Errorf("watermark %s: %+v", tt.watermark, res.Counts)
		}
		if want := map[bool]validate.Outcome{true: validate.Open, false: validate.Proven}[tt.undecided > 0]; res.Outcome != want || !says(res, tt.reason) && tt.reason != "" {
			t.Errorf("watermark %s: outcome %s for %q", tt.watermark, res.Outcome, res.Reasons)
		}
		if got := res.Verdicts[validate.Undecided]; got != tt.undecided/20 {
			t.Errorf("watermark %s: %d undecided windows", tt.watermark, got)
		}
	}
}

// TestWhatIsNotJudgedIsNotCalledWrong: what lacks, is too much or differs may still
// come, or be told.
func TestWhatIsNotJudgedIsNotCalledWrong(t *testing.T) {
	truth := plant(1, 1, 20, 2*time.Hour)
	told := slices.Clone(truth[:15])
	told[12].Value = reading.OfInt(7)
	told = append(told, truth[3], truth[14], validate.Record{Reading: reading.Reading{Device: "new", Tag: "new", Time: start.Add(90 * time.Minute).UnixNano()}})
	j := job(truth, told, 2)
	j.e.SetWatermark(start.Add(70 * time.Minute))
	res, all := run(t, j)
	if want := (validate.Counts{Expected: 20, Observed: 18, Matched: 10, Duplicate: 1, Undecided: 10}); res.Counts != want || res.Waiting != 10 || len(all) != 1 {
		t.Errorf("counts %+v, discrepancies %+v", res.Counts, all)
	}
	if res.Verdicts[validate.Undecided] != 2 { // one of the new device, which nobody expects yet
		t.Errorf("verdicts %v", res.Verdicts)
	}
}

func TestNothingExpectedIsNoProof(t *testing.T) {
	res, _ := run(t, job(nil, nil, 2))
	if res.Outcome != validate.Open || !says(res, "no readings in this range: that proves nothing") {
		t.Errorf("outcome %s for %q", res.Outcome, res.Reasons)
	}
}

// TestNothingFoundIsAskedAbout: it is a loss, but more likely another place than that
// of the sink.
func TestNothingFoundIsAskedAbout(t *testing.T) {
	truth := plant(1, 1, 1200, time.Hour)
	const says = "Nothing at all was found at the observation"
	for _, tt := range []struct {
		name    string
		told    []validate.Record
		outcome validate.Outcome
		asks    bool
		second  string
	}{
		{"nothing", nil, validate.Discrepant, true, "1,200 expected readings are missing."},
		{"one", truth[7:8], validate.Discrepant, false, ""},
	} {
		res, _ := run(t, job(truth, tt.told, 1))
		if res.Outcome != tt.outcome || strings.HasPrefix(res.Reasons[0], says) != tt.asks || tt.asks && res.Reasons[1] != tt.second {
			t.Errorf("%s: outcome %s for %q", tt.name, res.Outcome, res.Reasons)
		}
	}
	early := job(truth, nil, 1)
	early.e.SetWatermark(start)
	if res, _ := run(t, early); res.Outcome != validate.Open || strings.HasPrefix(res.Reasons[0], says) || !slices.ContainsFunc(res.Reasons, func(r string) bool { return strings.HasPrefix(r, says) }) {
		t.Errorf("before the watermark: outcome %s for %q", res.Outcome, res.Reasons)
	}
}

// TestWatermarkThatGoesBackIsNoProof: what it promised did not hold.
func TestWatermarkThatGoesBackIsNoProof(t *testing.T) {
	truth := plant(1, 1, 20, time.Hour)
	j := job(truth, truth, 1)
	j.e.onRead = func(int, validate.Query) error {
		j.e.SetWatermark(start)
		return nil
	}
	res, _ := run(t, j)
	if res.Outcome != validate.Open || !says(res, "went back from 2026-11-21T07:10:00Z to 2026-11-21T06:00:00Z") {
		t.Errorf("outcome %s for %q", res.Outcome, res.Reasons)
	}
}

// TestWhatCannotBeReadIsNotMissing: and only what may stand there; the rest is.
func TestWhatCannotBeReadIsNotMissing(t *testing.T) {
	truth := plant(1, 1, 40, 4*time.Hour) // 10 an hour
	told := slices.Clone(truth)
	told = slices.Delete(told, 35, 36)
	told = slices.Delete(told, 15, 17)
	broken := validate.Unreadable{Place: validate.Place{Object: "a/broken.parquet"}, Err: errors.New("bad magic")}
	for _, tt := range []struct {
		name               string
		from, to           time.Time
		missing, undecided int64
	}{
		{"any time", time.Time{}, time.Time{}, 0, 3},
		{"the second hour", start.Add(time.Hour), start.Add(2 * time.Hour), 1, 2},
		{"up to the second", start.Add(time.Hour), time.Unix(0, truth[16].Time), 2, 1},
		{"all times there are", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), 0, 3},
	} {
		j := job(truth, told, 4)
		broken.From, broken.To = tt.from, tt.to
		j.o.PutUnreadable(broken, broken)
		res, all := run(t, j)
		if want := (validate.Counts{Expected: 40, Observed: 37, Matched: 37, Missing: tt.missing, Undecided: tt.undecided}); res.Counts != want || res.Waiting != 0 || len(all) != 3 {
			t.Errorf("%s: counts %+v, discrepancies %+v", tt.name, res.Counts, all)
		}
		if want := map[bool]validate.Outcome{true: validate.Discrepant, false: validate.Open}[tt.missing > 0]; res.Outcome != want {
			t.Errorf("%s: outcome %s for %q", tt.name, res.Outcome, res.Reasons)
		}
		if want := []string{"observation: a/broken.parquet: bad magic"}; !slices.Equal(res.Unreadable, want) || !says(res, "1 place of the observation could not be read") {
			t.Errorf("%s: unreadable %q, reasons %q", tt.name, res.Unreadable, res.Reasons)
		}
	}
	// Where nothing lacks, what stands there may still be something that nobody expects.
	j := job(truth, truth, 4)
	broken.From, broken.To = time.Time{}, time.Time{}
	j.o.PutUnreadable(broken)
	if res, all := run(t, j); res.Outcome != validate.Open || len(all) != 0 || res.Counts.Matched != 40 || !says(res, "1 place of the observation could not be read") {
		t.Errorf("outcome %s for %q, %+v", res.Outcome, res.Reasons, res.Counts)
	}
	// What can only be of another time is of no concern.
	for _, other := range []time.Time{start.Add(-time.Hour), start.Add(4 * time.Hour)} {
		j = job(truth, told, 4)
		broken.From, broken.To = other, other.Add(time.Hour)
		j.o.PutUnreadable(broken)
		if res, _ := run(t, j); res.Counts.Missing != 3 || len(res.Unreadable) > 0 || says(res, "could not be read") {
			t.Errorf("of %s on: counts %+v, unreadable %q for %q", other, res.Counts, res.Unreadable, res.Reasons)
		}
	}
	// What becomes unreadable between the two reads.
	j = job(truth, told, 4)
	j.o.onRead = func(n int, _ validate.Query) error {
		if n == 2 {
			j.o.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "late"}, Err: errors.New("broke")})
		}
		return nil
	}
	if res, _ := run(t, j); res.Counts.Missing != 0 || res.Counts.Undecided != 3 {
		t.Errorf("counts %+v", res.Counts)
	}
}

// TestUnreadableExpectationIsNoProof: what it does not tell may be anything, so that
// nothing is extra.
func TestUnreadableExpectationIsNoProof(t *testing.T) {
	truth := plant(1, 1, 20, time.Hour)
	j := job(truth[:19], truth, 1)
	j.e.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "page 3"}, Err: errors.New("no JSON")})
	res, all := run(t, j)
	if res.Outcome != validate.Open || res.Counts.Extra != 0 || res.Counts.Matched != 19 || res.Verdicts[validate.Undecided] != 1 {
		t.Errorf("outcome %s, %+v, %v", res.Outcome, res.Counts, res.Verdicts)
	}
	if len(all) != 1 || all[0].Verdict != validate.Undecided || all[0].Observed == nil {
		t.Errorf("discrepancies %+v", all)
	}
	j = job(truth, truth, 1)
	j.e.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "page 3"}, Err: errors.New("no JSON")})
	if res, _ := run(t, j); res.Outcome != validate.Open {
		t.Errorf("outcome %s for %q", res.Outcome, res.Reasons)
	}
}

// TestWhatArrivesMeanwhileIsNoFalseAlarm: a reading that the first read of a side
// did not meet is looked for again. An expectation that tells more of a judged window
// has not kept its promise: that is no discrepancy, and no proof.
func TestWhatArrivesMeanwhileIsNoFalseAlarm(t *testing.T) {
	truth := plant(1, 2, 20, time.Hour)
	for _, late := range []string{"observation", "expectation"} {
		e, o := truth, truth
		if late == "observation" {
			o = truth[:30]
		} else {
			e = truth[:30]
		}
		j := job(e, o, 1)
		side := map[string]*memory{"observation": j.o, "expectation": j.e}[late]
		side.onRead = func(n int, _ validate.Query) error {
			if n == 2 {
				side.Put(truth[30:]...)
			}
			return nil
		}
		want := map[string]validate.Outcome{"observation": validate.Proven, "expectation": validate.Open}[late]
		res, all := run(t, j)
		if res.Outcome != want || len(all) != 0 || res.Counts.Matched != 40 {
			t.Errorf("%s: outcome %s, %+v, %+v", late, res.Outcome, res.Counts, all)
		}
	}
}

// TestWhatGrowsIsDivided: windows may have more readings when they are read again than
// when they were counted; several are then read fewer at a time, and one in parts,
// by sequence number or else by time.
func TestWhatGrowsIsDivided(t *testing.T) {
	const n, copies = 100, 10
	for _, windows := range []int{1, 20} {
		for _, ignore := range [][]validate.Field{nil, {validate.FieldSeq}} {
			truth := plant(1, 1, n, time.Duration(windows)*time.Hour)
			told := slices.Clone(truth)
			for i := range windows { // one of each window differs
				told[i*n/windows].Quality = "bad"
			}
			j := job(truth, told, windows)
			j.MaxRecords, j.Rules.Ignore = 100, ignore
			j.o.onRead = func(n int, _ validate.Query) error {
				if n == 2 {
					for range copies {
						j.o.Put(told...)
					}
				}
				return nil
			}
			res, _ := run(t, j)
			want := validate.Counts{Expected: n, Observed: n * (copies + 1), Matched: int64(n - windows), Altered: int64(windows), Duplicate: n * copies}
			if res.Counts != want {
				t.Errorf("%d windows: counts\n%+v, want\n%+v", windows, res.Counts, want)
			}
			if reads := len(j.o.queries); reads <= 1+5 {
				t.Errorf("%d windows: nothing was divided in %d reads", windows, reads)
			}
		}
	}
}

// TestWhatGrowsForEverIsAnError: and not a run that never ends.
func TestWhatGrowsForEverIsAnError(t *testing.T) {
	truth := plant(1, 1, 10, time.Hour)
	j := job(truth, truth[1:], 1)
	j.MaxRecords = 10
	j.o.onRead = func(n int, _ validate.Query) error {
		if n > 1 {
			for range 200 {
				j.o.Put(truth[5])
			}
		}
		return nil
	}
	_, err := validate.Run(t.Context(), j.Job)
	if err == nil || !strings.Contains(err.Error(), "tag tag0 of device press0, window of 2026-11-21T06:00:00Z") || !strings.Contains(err.Error(), "raise maxRecords (10)") {
		t.Errorf("error %v", err)
	}
}
