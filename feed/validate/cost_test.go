package validate_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestCostGrowsWithWhatIsWrong: one wrong reading of many has one window read again,
// or a short time of a side that is read in long stretches.
func TestCostGrowsWithWhatIsWrong(t *testing.T) {
	const hours, perHour, tags = 24, 50, 3 * 4
	truth := plant(3, 4, hours*perHour, hours*time.Hour)
	told := slices.Delete(slices.Clone(truth), len(truth)/2, len(truth)/2+1)
	j := job(truth, told, hours)
	j.e.Has.Selective = true
	run(t, j)
	if again := j.e.Costs().Readings - int64(len(truth)); again != perHour {
		t.Errorf("%d readings of the expectation were read again", again)
	}
	if again := j.o.Costs().Readings - int64(len(told)); again > perHour*4 { // those of the device
		t.Errorf("%d readings of the observation were read again", again)
	}
	if len(j.e.queries) != 2 || len(j.o.queries) != 2 {
		t.Errorf("%d and %d reads", len(j.e.queries), len(j.o.queries))
	}

	// One wrong reading in each hour of each tag: asking for each window would cost more
	// than reading all once more.
	told = nil
	for i, r := range truth {
		if i/tags%perHour != 7 {
			told = append(told, r)
		}
	}
	j = job(truth, told, hours)
	j.e.Has.Selective, j.o.Has.Selective = true, true
	res, _ := run(t, j)
	if len(j.e.queries) != 2 || res.Counts.Missing != hours*tags {
		t.Errorf("%d reads, %+v", len(j.e.queries), res.Counts)
	}

	// Every third hour, and little memory: hardly more than once again.
	told = nil
	for i, r := range truth {
		if i%(tags*perHour*3) != 7 {
			told = append(told, r)
		}
	}
	j = job(truth, told, hours)
	j.MaxRecords = 4 * perHour
	run(t, j)
	if n := len(j.o.queries); n != 1+hours/3 {
		t.Errorf("%d reads", n)
	}
	if all := j.o.Costs().Readings; all > int64(len(told))*3/2 {
		t.Errorf("%d readings were read, of %d", all, len(told))
	}
}

// TestSparseWindowsAreReadInFewStretches: where a short query costs as much as a long
// one, they are few.
func TestSparseWindowsAreReadInFewStretches(t *testing.T) {
	const hours = 60
	truth := plant(1, 1, hours*2, hours*time.Hour)
	var told []validate.Record
	for i, r := range truth {
		if i%6 != 0 { // every third hour
			told = append(told, r)
		}
	}
	j := job(truth, told, hours)
	res, _ := run(t, j)
	if n := len(j.o.queries) - 1; n > 8 || res.Counts.Missing != hours/3 {
		t.Errorf("%d reads, %+v", n, res.Counts)
	}
}

// TestErrorsNameTheSide: and what was asked of it; nothing is said of the readings.
func TestErrorsNameTheSide(t *testing.T) {
	truth := plant(1, 1, 20, time.Hour)
	broken := errors.New("connection refused")
	for _, tt := range []struct {
		name   string
		break_ func(*pair)
		want   string
	}{
		{"the expectation", func(p *pair) { p.e.onRead = func(int, validate.Query) error { return broken } }, "reading the expectation truth the truth from 2026-11-21T06:00:00Z to 2026-11-21T07:00:00Z: connection refused"},
		{"the observation", func(p *pair) { p.o.Fail = func(validate.Query, validate.Page) error { return broken } }, "reading the observation copied the copy from"},
		{"the second read", func(p *pair) {
			p.o.Put(truth[3])
			p.o.onRead = func(n int, _ validate.Query) error {
				if n == 2 {
					return broken
				}
				return nil
			}
		}, "reading the observation copied the copy of device press0 from"},
		{"the watermark", func(p *pair) { p.Expect = noWatermark{p.e, broken} }, "asking the expectation truth the truth for its watermark: connection refused"},
		{"who gets discrepancies", func(p *pair) {
			p.o.Put(truth[3])
			p.Discrepancy = func(validate.Discrepancy) error { return broken }
		}, "connection refused"},
		{"a side that keeps errors for itself", func(p *pair) { p.Observe = silent{p.o} }, "context canceled"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		j := job(truth, truth, 1)
		tt.break_(j)
		if s, ok := j.Observe.(silent); ok {
			s.onRead = func(int, validate.Query) error { cancel(); return nil }
		}
		res, err := validate.Run(ctx, j.Job)
		if res != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: result %v, error %v, want one that says %q", tt.name, res, err, tt.want)
		}
		if strings.Contains(tt.want, broken.Error()) && !errors.Is(err, broken) {
			t.Errorf("%s: the cause is lost: %v", tt.name, err)
		}
		cancel()
	}
}

type noWatermark struct {
	*memory
	err error
}

func (n noWatermark) Watermark(context.Context) (time.Time, error) { return time.Time{}, n.err }

// silent takes the errors of take for itself.
type silent struct{ *memory }

func (s silent) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	_ = s.memory.Read(ctx, q, take)
	return nil
}

// TestJobsAreRefused: with what is missing, before anything is read.
func TestJobsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*pair){
		"window: 0s is too short":           func(p *pair) { p.Window = 0 },
		"an expectation and an observation": func(p *pair) { p.Expect = nil },
		"an observation are needed":         func(p *pair) { p.Observe = nil },
		"give a time between 1678 and 2262": func(p *pair) { p.From = time.Time{} },
		"and a later one":                   func(p *pair) { p.To = p.From },
		"set rules.time and window":         func(p *pair) { p.o.Has.TimeStep = 7 * time.Microsecond },
	} {
		j := job(nil, nil, 1)
		change(j)
		if _, err := validate.Run(t.Context(), j.Job); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
		if len(j.e.queries) != 0 {
			t.Errorf("%s: something was read", want)
		}
	}
}

// TestRangeAndDevice: the range is moved outward to whole windows, only one device is
// looked at, and what a side hands out beyond that does not count.
func TestRangeAndDevice(t *testing.T) {
	truth := plant(3, 1, 40, 4*time.Hour)
	j := job(truth, truth[:len(truth)-3], 4)
	j.From, j.To = start.Add(61*time.Minute), start.Add(121*time.Minute)
	j.Device = "press1"
	j.Observe = generous{j.o}
	res, _ := run(t, j)
	if !res.From.Equal(start.Add(time.Hour)) || !res.To.Equal(start.Add(3*time.Hour)) || res.Device != "press1" {
		t.Errorf("from %s to %s, device %q", res.From, res.To, res.Device)
	}
	if want := (validate.Counts{Expected: 20, Observed: 20, Matched: 20}); res.Counts != want || res.Outcome != validate.Proven {
		t.Errorf("outcome %s, %+v", res.Outcome, res.Counts)
	}
	for _, q := range append(j.e.queries, j.o.queries...) {
		if q.Device != "press1" {
			t.Errorf("asked for %+v", q)
		}
	}
}

// generous hands out all that it has, whatever it is asked for.
type generous struct{ *memory }

func (g generous) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	g.queries = append(g.queries, q)
	return g.Memory.Read(ctx, validate.Query{From: start.Add(-time.Hour), To: start.Add(100 * time.Hour)}, take)
}

// TestListsAreBounded: they hold the worst, and counts hold all.
func TestListsAreBounded(t *testing.T) {
	truth := plant(6, 1, 40, 4*time.Hour) // of press4 those at 4, 10, 16, …
	var told []validate.Record
	for i, r := range truth {
		switch {
		case r.Device == "press5":
		case i%12 == 4:
			told = append(told, r, r)
		case r.Device == "press3":
			r.Value = reading.OfText(strings.Repeat("x", 5000))
			told = append(told, r)
		default:
			told = append(told, r)
		}
	}
	j := job(truth, told, 4)
	j.MaxListed = 2
	res, all := run(t, j)
	if len(all) != 100 || len(res.Discrepancies) != 2 || res.OmittedDiscrepancies != 98 || res.Discrepancies[0].Device != "press5" || !res.Discrepancies[0].Time.Before(res.Discrepancies[1].Time) {
		t.Errorf("%d discrepancies, %d omitted: %+v", len(all), res.OmittedDiscrepancies, res.Discrepancies)
	}
	if len(res.Problems) != 2 || res.OmittedProblems != 10 || res.Problems[0].Device != "press5" || res.Problems[0].Missing != 10 {
		t.Errorf("%d problems omitted: %+v", res.OmittedProblems, res.Problems)
	}
	if len(res.Devices) != 2 || res.OmittedDevices != 4 || res.Devices[0].Device != "press3" || res.Devices[1].Device != "press5" {
		t.Errorf("%d devices omitted: %+v", res.OmittedDevices, res.Devices)
	}
	if p := res.Devices[1].Parts; len(p) != 4 || p[3] != (validate.Part{Index: 3, Verdict: validate.Missing, Expected: 10, Bad: 10}) {
		t.Errorf("parts %+v", p)
	}
	if len(res.Throughput) != 4 || res.Throughput[1] != (validate.Rate{At: start.Add(time.Hour), Expected: 60, Observed: 55}) || res.Step != time.Hour {
		t.Errorf("throughput %+v", res.Throughput)
	}
	for _, d := range all {
		if d.Verdict == validate.Altered && (len(d.Observed.Text) > 1100 || !strings.HasPrefix(d.Observed.Text, `"xxx`) || d.Observed.Place == "") {
			t.Fatalf("said %+v", d.Observed)
		}
	}
}

// TestWhatIsListedIsShort: of long texts a list keeps no more than it tells.
func TestWhatIsListedIsShort(t *testing.T) {
	truth := plant(1, 1, 50, time.Hour)
	told := slices.Clone(truth)
	for i := range truth {
		truth[i].Value = reading.OfText(strings.Repeat("é", reading.MaxText/2-i))
		told[i].Value = reading.OfText(strings.Repeat("e", reading.MaxText-i))
	}
	j := job(truth, told, 1)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res, err := validate.Run(t.Context(), j.Job)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); len(res.Discrepancies) != 50 || held > 10*reading.MaxText {
		t.Errorf("%d discrepancies take %d MiB", len(res.Discrepancies), held>>20)
	}
	for _, d := range res.Discrepancies {
		if !utf8.ValidString(d.Expected.Text) {
			t.Fatalf("%q", d.Expected.Text[990:])
		}
	}
	runtime.KeepAlive(j)
}

// TestPictureHasAtMost200Parts: of a range that is much longer.
func TestPictureHasAtMost200Parts(t *testing.T) {
	truth := plant(1, 1, 1001, 1001*time.Hour)
	res, _ := run(t, job(truth, truth, 1001))
	if len(res.Throughput) > 200 || len(res.Throughput) < 100 || res.Step != 6*time.Hour {
		t.Errorf("%d parts of %s", len(res.Throughput), res.Step)
	}
	if d := res.Devices[0]; d.Site != "plant1" || len(d.Parts) != len(res.Throughput) {
		t.Errorf("device %q of site %q with %d parts", d.Device, d.Site, len(d.Parts))
	}
}

// TestProgressIsTold: while it lasts, and at the end.
func TestProgressIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		truth := plant(1, 1, 20, 2*time.Hour)
		j := job(truth, truth[1:], 2)
		j.o.onRead = func(int, validate.Query) error {
			time.Sleep(time.Second) // of fake time
			return nil
		}
		var told []validate.Progress
		j.Progress = func(p validate.Progress) { told = append(told, p) }
		if _, err := validate.Run(t.Context(), j.Job); err != nil {
			t.Fatal(err)
		}
		var phases []string
		for _, p := range told {
			phases = append(phases, p.Phase)
			if !p.From.Equal(start) || !p.To.Equal(start.Add(2*time.Hour)) {
				t.Errorf("progress %+v", p)
			}
		}
		if phases = slices.Compact(phases); fmt.Sprint(phases) != "[reading comparing]" {
			t.Errorf("phases %v", phases)
		}
		last := told[len(told)-1]
		if len(told) < 8 || !last.Reached.Equal(last.To) || last.Expected.Readings < 20 || last.Counts.Missing != 1 {
			t.Errorf("%d times, the last one %+v", len(told), last)
		}
	})
}
