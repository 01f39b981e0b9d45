package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

func newSource(t fataler, edit func(*Config)) *Source {
	t.Helper()
	c := DefaultConfig()
	c.Start, c.Rate, c.Devices = someStart, 0, 3
	edit(&c)
	s, err := NewSource(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// take takes messages until there are none, and n at most.
func take(t fataler, s *Source, n int) []*message.Message {
	t.Helper()
	ctx := context.Background()
	u, err := s.SubscribeBatch(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close() //nolint:errcheck // it is always nil
	var all []*message.Message
	for len(all) < n {
		got, err := u.Receive(ctx, nil, min(100, n-len(all)))
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var settled []feed.Settlement
		for _, d := range got {
			all = append(all, d.Message)
			settled = append(settled, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
		}
		if err := u.Settle(ctx, settled); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// batchID names a batch.
type batchID struct {
	device   string
	sequence uint64
}

// receiver does what an ingest does with messages: it unpacks those that can be,
// and the first of each sequence counts.
type receiver struct {
	batches    map[batchID]batch.Envelope
	readings   map[batchID][]reading.Reading
	refused    map[batch.Reason]uint64
	duplicates uint64
	conflicts  uint64
	reordered  uint64
	greatest   map[string]uint64
}

func receive(t fataler, messages []*message.Message) *receiver {
	t.Helper()
	r := &receiver{
		batches: map[batchID]batch.Envelope{}, readings: map[batchID][]reading.Reading{}, refused: map[batch.Reason]uint64{}, greatest: map[string]uint64{},
	}
	for _, m := range messages {
		if m.Metadata[feed.MetaContentType] != batch.ContentType {
			t.Fatal("content type", m.Metadata)
		}
		b, err := batch.Parse(m.Payload, batch.Limits{})
		var rs []reading.Reading
		if err == nil {
			rs, err = b.Decode(batch.All(), nil, batch.Limits{})
		}
		if err != nil {
			var c *batch.Corrupt
			if !errors.As(err, &c) {
				t.Fatal(err)
			}
			r.refused[c.Reason]++
			continue
		}
		id := batchID{b.Device, b.Sequence}
		if want := fmt.Sprintf("%s/%d", id.device, id.sequence); m.UUID != want {
			t.Fatal("id", m.UUID, want)
		}
		if want := "batches." + rs[0].Site + "." + rs[0].Line + "." + id.device; m.Metadata[feed.MetaTopic] != want {
			t.Fatal("topic", m.Metadata[feed.MetaTopic], want)
		}
		if want := rs[len(rs)-1].At().Format(time.RFC3339Nano); m.Metadata[feed.MetaTime] != want {
			t.Fatal("time", m.Metadata[feed.MetaTime], want)
		}
		switch before, known := r.batches[id]; {
		case known && before.Checksum == b.Checksum:
			r.duplicates++
		case known:
			r.conflicts++
		default:
			r.batches[id], r.readings[id] = b.Envelope, rs
			if b.Sequence < r.greatest[id.device] {
				r.reordered++
			}
			r.greatest[id.device] = max(r.greatest[id.device], b.Sequence)
		}
	}
	return r
}

func (r *receiver) refusals() (n uint64) {
	for _, k := range r.refused {
		n += k
	}
	return n
}

// TestNothingOfTheTruthIsMissing takes all that a source with chaos sends, and
// compares with one without: and with what the source says that it has done.
func TestNothingOfTheTruthIsMissing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		c.Rate, c.WindowSize = 0, rapid.IntRange(1, 100).Draw(t, "window")
		c.Count = rapid.Int64Range(1, 1000).Draw(t, "count")
		quiet, err := NewSource(c, feed.StageEnv{})
		if err != nil {
			t.Fatal(err)
		}
		defer quiet.Close()
		shares := rapid.Float64Range(0, 1)
		c.Chaos.Duplicate, c.Chaos.Reorder = Share(shares.Draw(t, "duplicate")), Share(shares.Draw(t, "reorder"))
		c.Chaos.Garbage, c.Chaos.Conflict = Share(shares.Draw(t, "garbage")), Share(shares.Draw(t, "conflict"))
		c.Chaos.Corrupt = Share(shares.Draw(t, "corrupt") / 4) // bombs take a while
		c.Chaos.Within = rapid.IntRange(1, 5).Draw(t, "within")
		wild, err := NewSource(c, feed.StageEnv{})
		if err != nil {
			t.Fatal(err)
		}
		defer wild.Close()

		truth, got := receive(t, take(t, quiet, math.MaxInt)), receive(t, take(t, wild, math.MaxInt))
		if !reflect.DeepEqual(got.readings, truth.readings) && !equal(got.readings, truth.readings) {
			t.Fatalf("%d batches with chaos, %d without", len(got.readings), len(truth.readings))
		}
		total := uint64(0)
		for _, rs := range truth.readings {
			total += uint64(len(rs))
		}
		if total != uint64(c.Count) || truth.refusals() != 0 || truth.duplicates != 0 || truth.conflicts != 0 || truth.reordered != 0 {
			t.Fatalf("without chaos: %d readings, want %d; %+v", total, c.Count, truth.refused)
		}
		plain := Report{Batches: uint64(len(truth.batches)), Readings: total, Messages: uint64(len(truth.batches))}
		said := quiet.Report()
		if plain.Bytes = said.Bytes; said != plain {
			t.Fatalf("without chaos it says %+v, want %+v", said, plain)
		}
		r := wild.Report()
		if r.Batches != uint64(len(got.batches)) || r.Readings != total || r.Corrupt() != got.refusals() || r.Duplicates != got.duplicates ||
			r.Conflicts != got.conflicts || r.Reordered != got.reordered {
			t.Fatalf("it says %+v; received %+v, %d duplicates, %d conflicts, %d reordered", r, got.refused, got.duplicates, got.conflicts, got.reordered)
		}
		if r.Bombs != got.refused[batch.ReasonLimits] || r.WrongCounts != got.refused[batch.ReasonCount] {
			t.Fatalf("it says %+v; refused %+v", r, got.refused)
		}
		if n := r.Batches + r.Duplicates + r.Conflicts + r.Corrupt(); n != r.Messages {
			t.Fatalf("%d messages are of a kind, of %d", n, r.Messages)
		}
	})
}

// equal compares to the bit: a NaN is equal to itself.
func equal(a, b map[batchID][]reading.Reading) bool {
	if len(a) != len(b) {
		return false
	}
	for id, rs := range a {
		if len(rs) != len(b[id]) {
			return false
		}
		for i := range rs {
			if rs[i] != b[id][i] {
				return false
			}
		}
	}
	return true
}

// TestSharesOfChaos holds what happens to the shares that were asked for.
func TestSharesOfChaos(t *testing.T) {
	const batches = 6_000
	s := newSource(t, func(c *Config) {
		c.Devices, c.Batch.Readings, c.Count, c.WindowSize, c.Codec = 10, 1, batches, maxWindow, "columnar"
		c.Chaos = Chaos{Corrupt: 0.02, Duplicate: 0.05, Reorder: 0.1, Garbage: 0.01, Conflict: 0.03, Within: 3}
	})
	defer s.Close()
	take(t, s, math.MaxInt)
	r := s.Report()
	within := func(what string, got uint64, share float64) {
		t.Helper()
		mean := share * batches
		if deviation := math.Sqrt(mean * (1 - share)); math.Abs(float64(got)-mean) > 5*deviation {
			t.Errorf("%d %s, want about %.0f", got, what, mean)
		}
	}
	within("batches", r.Batches, 1)
	within("damaged copies", r.Corrupt()-r.Garbage, 0.02)
	within("bombs", r.Bombs, 0.02/4)
	within("truncated", r.Truncated, 0.02/4)
	within("bit flips", r.BitFlips, 0.02/2) // there is no count to be wrong
	within("duplicates", r.Duplicates, 0.05)
	within("garbage", r.Garbage, 0.01)
	within("conflicts", r.Conflicts, 0.03)
	// What is late may be overtaken by nothing: when what follows is late, too.
	if r.Reordered < batches*8/100 || r.Reordered > batches*13/100 {
		t.Errorf("%d reordered", r.Reordered)
	}
	if events := s.Events(); events["conflicts"] != r.Conflicts || events["readings"] != batches || len(events) != 10 {
		t.Errorf("events %v", events)
	}
}

// TestIntactComesLater takes batches of which all have a damaged copy.
func TestIntactComesLater(t *testing.T) {
	s := newSource(t, func(c *Config) { c.Devices, c.Batch.Readings, c.Chaos = 1, 2, Chaos{Corrupt: 1, Within: 2} })
	defer s.Close()
	damaged, between := map[string]int{}, 0
	for i, m := range take(t, s, 200) {
		at, known := damaged[m.UUID]
		if !known {
			damaged[m.UUID] = i
			continue
		}
		if i == at+1 {
			t.Errorf("%s comes right after its damaged copy", m.UUID)
		}
		between++
	}
	if between < 95 {
		t.Errorf("%d intact ones after damaged ones", between)
	}
}

// TestDue checks that batches come when their last reading has been taken, and
// that those that nobody took come with the times that they had.
func TestDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, func(c *Config) { c.Start, c.Rate, c.WindowSize = "", 100, 10_000 })
		defer s.Close()
		time.Sleep(time.Minute) // of fake time
		subscribed := time.Now()
		u, err := s.SubscribeBatch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		look := func(got []feed.Delivery, late time.Duration) {
			for _, d := range got {
				n++
				at, err := time.Parse(time.RFC3339Nano, d.Message.Metadata[feed.MetaTime])
				if err != nil {
					t.Fatal(err)
				}
				if at.Before(subscribed) {
					late = time.Minute
				}
				if waited := time.Since(at); waited < 0 || waited > late {
					t.Fatalf("batch %d ends at %v and comes %v later", n, at, waited)
				}
			}
		}
		for n < 50 {
			got, err := u.Receive(t.Context(), nil, 1000)
			if err != nil {
				t.Fatal(err)
			}
			look(got, 2*time.Millisecond)
		}
		time.Sleep(time.Hour) // of fake time
		before := n
		for piled := time.Now(); ; {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			got, err := u.Receive(ctx, nil, 1000)
			cancel()
			if err != nil || time.Since(piled) > 0 {
				break
			}
			look(got, time.Hour)
		}
		if got, want := n-before, 3*360; got < want*95/100 || got > want*105/100 { // 3 devices, a batch each 10 s
			t.Errorf("%d batches have piled up in an hour, want about %d", got, want)
		}
	})
}

// TestStartInThePast checks that the rate counts from the first Receive on.
func TestStartInThePast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, func(c *Config) { c.Start, c.Rate = "1999-01-01T00:00:00Z", 100 })
		defer s.Close()
		begin := time.Now()
		take(t, s, 100)
		if took := time.Since(begin); took < 5*time.Minute || took > 6*time.Minute {
			t.Errorf("100 batches of 3 devices took %v", took)
		}
	})
}

// TestEnd ends two sources that have come to different places.
func TestEnd(t *testing.T) {
	for _, ahead := range []int{0, 1, 7, 50} {
		end := &End{}
		quiet := newSource(t, func(c *Config) { c.Batch.Readings = 20 })
		wild := newSource(t, func(c *Config) {
			c.Batch.Readings = 20
			c.Chaos = Chaos{Corrupt: 0.2, Duplicate: 0.2, Reorder: 0.3, Conflict: 0.2, Within: 4}
		})
		quiet.EndWith(end)
		wild.EndWith(end)
		messages := take(t, wild, 30)
		truth := take(t, quiet, ahead)
		end.Now()
		truth, messages = append(truth, take(t, quiet, math.MaxInt)...), append(messages, take(t, wild, math.MaxInt)...)
		want, got := receive(t, truth), receive(t, messages)
		if !equal(got.readings, want.readings) || len(want.readings) < max(ahead, 20) || len(want.readings) > max(ahead, 30) {
			t.Errorf("%d ahead: %d batches, want %d", ahead, len(got.readings), len(want.readings))
		}
		if err := errors.Join(quiet.Close(), wild.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestBeginTogether takes nothing for a while: what is due by then comes at once.
func TestBeginTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, func(c *Config) { c.Start, c.Rate = "1999-01-01T00:00:00Z", 100 })
		defer s.Close()
		s.EndWith(&End{Begin: time.Now()})
		time.Sleep(10 * time.Minute) // of fake time
		begin := time.Now()
		take(t, s, 150) // 3 devices, a batch each 10 s
		if took := time.Since(begin); took != 0 {
			t.Errorf("150 batches of 10 minutes took another %v", took)
		}
		take(t, s, 100)
		if took := time.Since(begin); took < 3*time.Minute || took > 5*time.Minute {
			t.Errorf("another 100 took %v", took)
		}
	})
}

// TestEndWhileNothingIsDue ends a source that waits.
func TestEndWhileNothingIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := &End{}
		s := newSource(t, func(c *Config) { c.Rate, c.Batch.Every = 1, 24*time.Hour })
		s.EndWith(end)
		defer s.Close()
		u, err := s.SubscribeBatch(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		time.AfterFunc(time.Second, end.Now)
		if got, err := u.Receive(t.Context(), nil, 1); !errors.Is(err, io.EOF) || time.Since(begin) != time.Second {
			t.Errorf("%d messages, %v, after %v", len(got), err, time.Since(begin))
		}
	})
}

// TestGivesBack takes what was given back, and sees it counted once.
func TestGivesBack(t *testing.T) {
	s := newSource(t, func(c *Config) { c.Count, c.Batch.Readings = 1000, 10 })
	defer s.Close()
	u, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	first, err := u.Receive(t.Context(), nil, 5)
	if err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	all := take(t, s, math.MaxInt)
	for i, d := range first {
		if all[i].UUID != d.Message.UUID || string(all[i].Payload) != string(d.Message.Payload) {
			t.Errorf("message %d comes again as %s", i, all[i].UUID)
		}
	}
	if r := s.Report(); r.Readings != 1000 || r.Messages != uint64(len(all)) {
		t.Errorf("%+v, after %d messages", r, len(all))
	}
}

func TestRestore(t *testing.T) {
	s := newSource(t, func(*Config) {})
	defer s.Close()
	u, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	ds, err := u.Receive(t.Context(), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	original, err := u.(feed.Describer).Describe(ds[0].Tag)
	if err != nil {
		t.Fatal(err)
	}
	want := ds[0].Message
	if got, err := Restore(original); err != nil || got.UUID != want.UUID || string(got.Payload) != string(want.Payload) || !reflect.DeepEqual(got.Metadata, want.Metadata) {
		t.Errorf("got %+v, error %v, want %+v", got, err, want)
	}
}

func TestFactory(t *testing.T) {
	f := Factories()[0]
	c := f.NewConfig()
	s, err := f.Source(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	if w := c.(feed.WindowConfig).Window(); w != 1000 {
		t.Errorf("window %d", w)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
