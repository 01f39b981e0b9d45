package validator

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// readingsOf are the readings of records.
func readingsOf(records []validate.Record) []reading.Reading {
	rs := make([]reading.Reading, len(records))
	for i := range records {
		rs[i] = records[i].Reading
	}
	return rs
}

// TestTorn: whatever a crash left of a batch that was being written, the next process
// has what was there before, and goes on behind it.
func TestTorn(t *testing.T) {
	r := newRig(t, nil)
	before := every(time.Second, "press7", noon, 5)
	r.store(t, before...)
	_, start := r.kept.Load().store.snapshot()
	long := every(time.Second, "press8", noon, 2)
	for i := range long { // two blocks
		long[i].Value = reading.OfText(strings.Repeat("long", reading.MaxText/4))
	}
	r.store(t, slices.Repeat(long, 5)...)
	_, end := r.kept.Load().store.snapshot()
	whole, err := os.ReadFile(filepath.Join(r.config.Path, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	blocks := 0
	for at := start.Offset; at < end.Offset; at++ {
		if strings.HasPrefix(string(whole[at:]), magic) {
			blocks++
		}
	}
	if blocks < 2 {
		t.Fatalf("the batch has %d blocks", blocks)
	}
	var cuts []int64
	for at := start.Offset; at < end.Offset; at += 1 + (end.Offset-start.Offset)/30 {
		cuts = append(cuts, at)
	}
	for _, cut := range append(cuts, end.Offset-1) {
		for _, junk := range []string{"", "\x00\x00\x00", magic} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, segmentName(1)), append(slices.Clone(whole[:cut]), junk...), 0o600); err != nil {
				t.Fatal(err)
			}
			next := newRig(t, func(c *Config) { c.Path = dir })
			after := every(time.Second, "press9", noon, 3)
			next.store(t, after...)
			if got := readingsOf(observed(t, next)); !slices.Equal(got, slices.Concat(before, after)) {
				t.Fatalf("cut at %d of %d, with %q behind: %d readings, want %d", cut, end.Offset, junk, len(got), len(before)+len(after))
			}
			next.crash(t)
			if got := readingsOf(observed(t, next)); !slices.Equal(got, slices.Concat(before, after)) {
				t.Fatalf("cut at %d of %d, with %q behind, and a crash: %d readings, want %d", cut, end.Offset, junk, len(got), len(before)+len(after))
			}
			if err := next.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestDamage: a byte that has changed in the middle of a segment takes the readings of
// its block alone, and never all the rest. It is told, also after a restart.
func TestDamage(t *testing.T) {
	r := newRig(t, nil)
	for i := range 10 {
		r.store(t, every(time.Second, "press7", noon.Add(time.Duration(i)*time.Minute), 20)...)
	}
	_, end := r.kept.Load().store.snapshot()
	for at := int64(1); at < end.Offset; at += 7 {
		damage(t, r, -at)
		if at/7%10 == 9 && at > end.Offset/2 { // which must not cut off what follows
			r.reopen(t)
		}
		got, places := map[int64]bool{}, 0
		err := (&side{store: r.kept.Load().store}).Read(t.Context(), validate.Query{From: noon, To: noon.Add(time.Hour)}, func(p validate.Page) error {
			for _, x := range p.Records {
				got[x.Time] = true
			}
			places += len(p.Unreadable)
			return nil
		})
		if err != nil || len(got) != 180 || places == 0 {
			t.Fatalf("byte %d of %d is damaged: %d readings, want 180; %d places cannot be read; %v", end.Offset-at, end.Offset, len(got), places, err)
		}
		damage(t, r, -at)
	}
	if got := observed(t, r); len(got) != 200 {
		t.Errorf("%d readings in the end", len(got))
	}
}

// TestRestart: a process that comes back has everything, in many segments, and has
// looked into the last one only.
func TestRestart(t *testing.T) {
	r := newRig(t, nil)
	var want []reading.Reading
	for i := range 5 {
		rs := every(time.Second, "press7", noon.Add(time.Duration(i)*time.Hour), 20)
		r.store(t, rs...)
		want = append(want, rs...)
		r.clock.add(time.Hour)
	}
	before, _ := r.kept.Load().store.snapshot()
	if len(before) != 5 {
		t.Fatalf("%d segments, want 5", len(before))
	}
	r.reopen(t)
	after, _ := r.kept.Load().store.snapshot()
	equal := func(a, b segment) bool {
		return a.Number == b.Number && a.Size == b.Size && a.Readings == b.Readings && a.Began == b.Began && a.Arrived == b.Arrived && slices.Equal(a.Covers, b.Covers)
	}
	if !slices.EqualFunc(before, after, equal) {
		t.Errorf("after a restart there are\n%+v, before there were\n%+v", after, before)
	}
	if got := readingsOf(observed(t, r)); !slices.Equal(got, want) {
		t.Errorf("%d readings, want %d", len(got), len(want))
	}
	// Without what is kept beside the readings, they are looked at.
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(r.config.Path, stateName)); err != nil {
		t.Fatal(err)
	}
	r.open(t)
	after, _ = r.kept.Load().store.snapshot()
	if !slices.EqualFunc(before, after, equal) {
		t.Errorf("without a state there are\n%+v, before there were\n%+v", after, before)
	}
}

// TestInUse: two processes do not write into one directory.
func TestInUse(t *testing.T) {
	r := newRig(t, nil)
	s, err := newSink(r.config, feed.StageEnv{Logger: quiet}, r.clock.now)
	if err != nil {
		t.Fatal(err)
	}
	close(s.runs)
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("the directory of another sink was opened: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := r.config.Free(); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("the directory of another sink is free: %v", err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	none := Config{Path: filepath.Join(t.TempDir(), "none")}
	if err := errors.Join(r.config.Free(), none.Free()); err != nil {
		t.Error(err)
	}
}

// TestWriteFails: a batch that could not be written is refused for the time being, and
// the next one is stored behind what was.
func TestWriteFails(t *testing.T) {
	r := newRig(t, nil)
	before, after := every(time.Second, "press7", noon, 5), every(time.Second, "press8", noon, 5)
	r.store(t, before...)
	if err := r.kept.Load().store.file.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.PublishBatch(t.Context(), feed.NewBatch(messages(after...)...)); err == nil || feed.IsPermanent(err) {
		t.Fatalf("a batch was written to a closed file: %v", err)
	}
	r.store(t, after...)
	if got := readingsOf(observed(t, r)); !slices.Equal(got, slices.Concat(before, after)) {
		t.Errorf("%d readings are stored", len(got))
	}
	r.crash(t)
	if got := readingsOf(observed(t, r)); !slices.Equal(got, slices.Concat(before, after)) {
		t.Errorf("%d readings are stored after a crash", len(got))
	}
}

// TestFull: without room, batches are refused for the time being, and nothing is
// dropped, until windows are judged; then what is judged goes first.
func TestFull(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxBytes = feed.MiB })
	var all []reading.Reading
	i, full := 0, error(nil)
	for ; full == nil; i++ {
		rs := every(time.Second, "press7", noon.Add(time.Duration(i)*5*time.Minute), 10)
		for i := range rs {
			rs[i].Value = reading.OfText(noise(8_000, uint64(rs[i].Time)))
		}
		if full = r.PublishBatch(t.Context(), feed.NewBatch(messages(rs...)...)); full == nil {
			all = append(all, rs...)
			for _, x := range rs {
				r.expect.Put(validate.Record{Reading: x})
			}
			r.clock.add(5 * time.Minute)
		}
	}
	if !errors.Is(full, errFull) || feed.IsPermanent(full) || !strings.Contains(full.Error(), "maxBytes") {
		t.Fatalf("a full store says %v", full)
	}
	if err := r.Probe(t.Context()); !errors.Is(err, errFull) {
		t.Errorf("the probe of a full store says %v", err)
	}
	if got := r.Gauges()["stored_bytes"]; got > float64(feed.MiB) || got < float64(feed.MiB)*.6 {
		t.Errorf("%v bytes are stored", got)
	}
	if got := readingsOf(observed(t, r)); !slices.Equal(got, all) {
		t.Fatalf("%d readings are stored, want %d", len(got), len(all))
	}
	if e := r.Events(); e[eventFull] != 2 || e[eventDropped] != 0 {
		t.Errorf("events %v", e)
	}

	r.expect.SetWatermark(noon.Add(21 * time.Minute)) // two windows
	if worst, err := r.reconcile(t.Context()); worst != validate.Proven || err != nil {
		t.Fatalf("%s, %v", worst, err)
	}
	for range 4 {
		rs := every(time.Second, "press7", r.clock.now(), 10)
		for i := range rs {
			rs[i].Value = reading.OfText(noise(8_000, uint64(rs[i].Time)))
		}
		all = append(all, rs...)
		r.store(t, rs...)
		r.clock.add(5 * time.Minute)
	}
	got := readingsOf(observed(t, r))
	e := r.Events()
	if n := int(e[eventDropped]); n == 0 || len(got)+n != len(all) || !slices.Equal(got, all[n:]) {
		t.Errorf("%d readings are stored of %d, and %d were dropped", len(got), len(all), n)
	}
	if got[0].At().Before(noon.Add(5*time.Minute)) || e[eventGivenUp] != 0 {
		t.Errorf("the first that is left is of %s; events %v", got[0].At(), e)
	}
	// What was dropped is not judged again, whatever arrives.
	r.expect.asked()
	r.expect.SetWatermark(noon.Add(31 * time.Minute))
	if _, err := r.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked := r.expect.asked(); !slices.Equal(asked, []string{"12:20-12:30"}) {
		t.Errorf("%v were compared", asked)
	}
	matched := r.Gauges()["readings_matched"]
	r.store(t, all[0])
	if _, err := r.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := r.Gauges()["readings_matched"]; got != matched || got < 50 {
		t.Errorf("%v readings were matched, %v before", got, matched)
	}
	if asked := r.expect.asked(); len(asked) != 0 {
		t.Errorf("%v were compared again", asked)
	}
}

// noise is a text that cannot be compressed much.
func noise(n int, seed uint64) string {
	b := make([]byte, n)
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = ' ' + 1 + byte(seed>>58)
	}
	return strings.ReplaceAll(string(b), `"`, "_")
}

// TestRetention: what is older goes, also when it was never judged, which is counted.
func TestRetention(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Retention = 3 * time.Hour; c.Every = time.Minute })
	for i := range 6 {
		r.store(t, every(time.Minute, "press7", noon.Add(time.Duration(i)*time.Hour), 60)...)
		r.clock.add(time.Hour)
	}
	if _, err := r.reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := observed(t, r)
	if first := got[0].At(); len(got) != 180 || !first.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("%d readings are left, the first of %s", len(got), first)
	}
	if e := r.Events(); e[eventDropped] != 180 || e[eventGivenUp] != 18 {
		t.Errorf("events %v, want 180 readings dropped and 18 windows given up", e)
	}
	if g := r.Gauges(); g["windows_undecided"] != 18 || g["oldest_undecided_seconds"] != 3*3600-600 {
		t.Errorf("figures %v", g)
	}
	// A clock that is ahead by years holds nothing for longer than a day.
	r.store(t, every(time.Minute, "press7", noon.AddDate(9, 0, 0), 1)...)
	r.clock.add(28 * time.Hour)
	r.store(t, every(time.Minute, "press7", r.clock.now(), 1)...)
	if got := observed(t, r); len(got) != 1 {
		t.Errorf("%d readings are left after a day", len(got))
	}
}

// TestCoverage: it covers what was added, in order, and is short.
func TestCoverage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.OneOf(rapid.Int64Range(noon.UnixNano(), noon.Add(time.Hour).UnixNano()), rapid.Int64Range(math.MinInt64+2*gap, math.MaxInt64-2*gap))
		var a, b coverage
		var all []int64
		for range rapid.IntRange(0, 60).Draw(t, "n") {
			x := at.Draw(t, "at")
			all = append(all, x)
			if rapid.Bool().Draw(t, "a") {
				a = a.add(x, noon.UnixNano())
			} else {
				b = b.add(x, noon.UnixNano())
			}
		}
		c := a.merge(b, noon.UnixNano())
		for _, x := range all {
			if !c.overlaps(times{x, x + 1}) {
				t.Fatalf("%d is not covered by %v", x, c)
			}
		}
		if len(c) > maxStretches {
			t.Fatalf("%d stretches", len(c))
		}
		for i := range c {
			if c[i].From >= c[i].To || i > 0 && after(c[i].From, c[i-1].To) < uint64(gap) {
				t.Fatalf("%v", c)
			}
		}
		if len(all) > 0 && (c.whole() != times{slices.Min(all), slices.Max(all) + 1}) {
			t.Fatalf("%v is from %d to %d", c, slices.Min(all), slices.Max(all))
		}
	})
}

// FuzzScan: whatever stands in a segment, reading it ends, and takes no more memory
// than the file has.
func FuzzScan(f *testing.F) {
	rs := every(time.Second, "press7", noon, 3)
	block, err := appendBlock(nil, &header{first: 1, arrived: 5}, rs)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block)
	f.Add(append(append([]byte("junk"), block...), block[:20]...))
	f.Fuzz(func(t *testing.T, content []byte) {
		s := scan(strings.NewReader(string(content)), 0, int64(len(content)))
		for {
			at := s.at
			bad, err := s.next()
			if err == nil && s.at <= at {
				t.Fatalf("the scanner stands at %d", at)
			}
			if err != nil {
				if s.at != int64(len(content)) {
					t.Fatalf("it ended at %d of %d: %v", s.at, len(content), err)
				}
				return
			}
			if bad != nil {
				continue
			}
			body, err := s.read()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.readings(nil, body); err == nil && s.count == 0 && len(body) > 1<<20 {
				t.Fatal("a body of nothing")
			}
		}
	})
}
