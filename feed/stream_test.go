package feed_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// archive is a place for sinks with checkpoints, in memory. Each of its steps
// can fail.
type archive struct {
	mu         sync.Mutex
	writer     int // who holds the checkpoint
	generation uint64
	committed  *feed.Position
	pending    *feed.Range
	objects    map[string][]string // by name
	ranges     []feed.Range
	// fail is asked before each step: "resume", "intent", "object", "commit".
	fail func(step string) error
	// changed says that an object was made a second time, with other content.
	changed []string
}

func newArchive() *archive { return &archive{objects: map[string][]string{}} }

func (a *archive) try(step string) error {
	if a.fail == nil {
		return nil
	}
	return a.fail(step)
}

// stored returns the payloads of a generation.
func (a *archive) stored(generation uint64) []string {
	var all []string
	for name, lines := range a.objects {
		if strings.HasPrefix(name, fmt.Sprint(generation, "-")) {
			all = append(all, lines...)
		}
	}
	slices.Sort(all)
	return all
}

// archiveSink writes to an archive.
type archiveSink struct {
	*archive
	id   int
	held bool
}

func (s *archiveSink) Checkpoints() bool { return true }

func (s *archiveSink) resumption() feed.Resumption {
	return feed.Resumption{Generation: s.generation, Committed: s.committed, Pending: s.pending}
}

func (s *archiveSink) Resume(context.Context, string) (feed.Resumption, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.try("resume"); err != nil {
		return feed.Resumption{}, err
	}
	if s.held && s.writer != s.id {
		return feed.Resumption{}, feed.ErrFenced
	}
	s.generation, s.writer, s.held = max(s.generation, 1), s.id, true
	return s.resumption(), nil
}

func (s *archiveSink) Renew(context.Context) (feed.Resumption, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation, s.committed, s.pending = s.generation+1, nil, nil
	return s.resumption(), nil
}

// PublishBatch makes an object for each first letter.
func (s *archiveSink) PublishBatch(_ context.Context, b *feed.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	failed, objects := &feed.BatchError{}, map[string][]string{}
	for i, m := range b.Messages {
		if strings.HasPrefix(string(m.Payload), "refused") {
			failed.Add(i, feed.Permanent(errors.New("refused")))
		}
		name := fmt.Sprintf("%d-%d-%d-%c", s.generation, b.Range.First, b.Range.Last.Offset, m.Payload[0])
		objects[name] = append(objects[name], string(m.Payload))
	}
	if err := failed.ErrorOrNil(); err != nil {
		return err
	}
	if err := s.step("intent"); err != nil {
		return err
	}
	if s.pending != nil && *s.pending != *b.Range {
		return fmt.Errorf("the range is %+v, but %+v was begun", *b.Range, *s.pending)
	}
	s.pending = b.Range
	for name, lines := range objects {
		if err := s.try("object"); err != nil {
			return err
		}
		if before, ok := s.objects[name]; ok && !slices.Equal(before, lines) {
			s.changed = append(s.changed, name)
		}
		s.objects[name] = lines
	}
	if err := s.step("commit"); err != nil {
		return err
	}
	s.committed, s.pending, s.ranges = &b.Range.Last, nil, append(s.ranges, *b.Range)
	return nil
}

// step fails when it is to, or when another writer has taken over.
func (s *archiveSink) step(name string) error {
	if err := s.try(name); err != nil {
		return err
	}
	if s.writer != s.id {
		return feed.ErrFenced
	}
	return nil
}

func (s *archiveSink) Publish(string, ...*message.Message) error { return errors.New("not called") }
func (s *archiveSink) Close() error                              { return nil }

func streamRoute(s *feedtest.Stream, sink message.Publisher) feed.Route {
	return feed.Route{Source: s, Sink: sink, Transforms: []feed.Transform{{Name: "filter", Func: func(m *message.Message) ([]*message.Message, error) {
		switch p := string(m.Payload); {
		case strings.HasPrefix(p, "unwanted"):
			return nil, feed.Filter("unwanted")
		case strings.HasPrefix(p, "malformed"):
			return nil, feed.Permanent(errors.New("malformed"))
		case strings.HasPrefix(p, "twice"):
			return []*message.Message{{Payload: m.Payload}, {Payload: append([]byte("again "), m.Payload...)}}, nil
		}
		return []*message.Message{m}, nil
	}}}}
}

func positionAt(offset uint64, payload string) *feed.Position {
	return &feed.Position{Offset: offset, SHA256: sha256.Sum256([]byte(payload))}
}

func TestStreamIsCommittedAtDeliveryBoundaries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a, box := &feedtest.Stream{}, newArchive(), &feedtest.Quarantine{}
		s.Put("a0", "twice1", "unwanted2", "malformed3", "b4", "refused5", "c6", "unwanted7", "unwanted8", "a9")
		s.End()
		route := streamRoute(s, &archiveSink{archive: a})
		route.Batch.MaxMessages = 3
		r := start(t, feed.Options{Quarantine: box}, route)
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		want := []string{"a0", "a9", "again twice1", "b4", "c6", "twice1"}
		if got := a.stored(1); !slices.Equal(got, want) {
			t.Errorf("stored %v, want %v", got, want)
		}
		var covered []string
		for _, r := range a.ranges {
			covered = append(covered, fmt.Sprintf("%d-%d/%d", r.First, r.Last.Offset, r.Deliveries))
		}
		if want := []string{"0-2/3", "3-5/3", "6-8/3", "9-9/1"}; !slices.Equal(covered, want) {
			t.Errorf("ranges %v, want %v", covered, want)
		}
		if n := len(box.Items()); n != 2 {
			t.Errorf("%d messages in the quarantine, want 2", n)
		}
		status := r.status()
		if o := *status.Offsets; o != (feed.OffsetStatus{Stream: "stream", Generation: 1, Committed: 9, Received: 9}) {
			t.Errorf("offsets %+v", o)
		}
		if d := status.Deliveries; d.Delivered != 5 || d.Filtered["unwanted"] != 3 || feed.Total(d.Quarantined) != 2 {
			t.Errorf("deliveries %+v", d)
		}
		if err := s.Misuse(); err != nil {
			t.Error(err)
		}
	})
}

// A delivery may be a packed batch: a range ends when the transforms have made as
// many messages of it as a batch may have, and not after so many deliveries. The
// one that makes it full may make more of them.
func TestStreamRangesCountWhatIsMade(t *testing.T) {
	const each, most, deliveries = 50, 1000, 400
	for name, limits := range map[string]feed.BatchLimits{
		"messages": {MaxMessages: most, MaxDelay: time.Minute},
		"bytes":    {MaxMessages: 1 << 30, MaxBytes: most * 2, MaxDelay: time.Minute},
		"at once":  {MaxMessages: most},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := &feedtest.Stream{}, newArchive()
				for i := range deliveries {
					s.Put(fmt.Sprint("p", i))
				}
				s.End()
				longest := 0
				sink := &archiveSink{archive: a}
				route := feed.Route{Source: s, Sink: sink, Batch: limits, Transforms: []feed.Transform{{Name: "unpack", Func: func(m *message.Message) ([]*message.Message, error) {
					made := make([]*message.Message, each)
					for i := range made {
						made[i] = &message.Message{Payload: []byte("ab")}
					}
					return made, nil
				}}}}
				r := start(t, feed.Options{}, route)
				if err := r.wait(); err != nil {
					t.Fatal(err)
				}
				stored, covered := 0, 0
				for _, r := range a.ranges {
					stored, covered, longest = stored+r.Deliveries*each, covered+r.Deliveries, max(longest, r.Deliveries*each)
				}
				if covered != deliveries || len(a.stored(1)) != stored {
					t.Errorf("%d deliveries in ranges, %d messages stored", covered, len(a.stored(1)))
				}
				if longest > most+each || len(a.ranges) > 2*deliveries*each/most {
					t.Errorf("the longest of %d ranges has %d messages, want about %d", len(a.ranges), longest, most)
				}
			})
		})
	}
}

// An offset without a message is no loss as long as what stood before it is there.
func TestStreamKnowsLossFromUnusedOffsets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := &feedtest.Stream{}, newArchive()
		s.Put("a0", "a1")
		s.Skip()
		s.Put("a3")
		route := streamRoute(s, &archiveSink{archive: a})
		r := start(t, feed.Options{}, route)
		synctest.Wait()
		if o := *r.status().Offsets; o.Missing != 0 || o.Received != 3 {
			t.Errorf("offsets %+v, want none missing", o)
		}
		s.Retain(4)
		s.Skip() // 4
		s.Put("a5")
		synctest.Wait()
		if o := *r.status().Offsets; o.Missing != 1 || o.Committed != 5 { // nobody can tell any more that 4 had no message
			t.Errorf("offsets %+v, want one missing", o)
		}
		s.End()
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
	})
}

// A message is committed only when the quarantine has what went there: it is
// never read again.
func TestStreamWaitsForTheQuarantine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var full atomic.Bool
		s, a, box := &feedtest.Stream{}, newArchive(), &feedtest.Quarantine{Fail: func() error {
			if full.Load() {
				return errors.New("full")
			}
			return nil
		}}
		r := start(t, feed.Options{Quarantine: box}, streamRoute(s, &archiveSink{archive: a}))
		synctest.Wait() // it runs
		full.Store(true)
		s.Put("a0", "refused1", "malformed2", "a3")
		s.End()
		time.Sleep(5 * time.Minute) // of fake time
		synctest.Wait()
		if a.committed != nil || len(a.objects) > 0 {
			t.Errorf("committed %+v, stored %v, while the quarantine is full", a.committed, a.objects)
		}
		full.Store(false)
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if got := a.stored(1); !slices.Equal(got, []string{"a0", "a3"}) || len(box.Items()) < 2 {
			t.Errorf("stored %v, quarantined %d", got, len(box.Items()))
		}
	})
}

func TestStreamResumes(t *testing.T) {
	kept := []string{"a4", "a5", "a6", "a7", "a8", "a9"} // from offset 4 on
	pending := &feed.Range{First: 6, Last: *positionAt(8, "a8"), Deliveries: 3}
	for _, tt := range []struct {
		name      string
		committed *feed.Position
		pending   *feed.Range
		ranges    string
		want      feed.OffsetStatus
		known     uint64 // deliveries that were stored already
	}{
		{"at the beginning", nil, nil, "4-9", feed.OffsetStatus{Generation: 1}, 0},
		{"after what is committed", positionAt(5, "a5"), nil, "6-9", feed.OffsetStatus{Generation: 1}, 1},
		{"when all is committed", positionAt(9, "a9"), nil, "", feed.OffsetStatus{Generation: 1}, 1},
		{"with what was begun", positionAt(5, "a5"), pending, "6-8 9-9", feed.OffsetStatus{Generation: 1}, 1},
		{"where the committed one has gone", positionAt(3, "a3"), nil, "4-9", feed.OffsetStatus{Generation: 1}, 0},
		{"behind a gap", positionAt(1, "a1"), nil, "4-9", feed.OffsetStatus{Generation: 1, Missing: 2}, 0},
		{"with another message there", positionAt(5, "b5"), nil, "4-9", feed.OffsetStatus{Generation: 2, Renewed: 1}, 0},
		{"with a shorter stream", positionAt(10, "a10"), nil, "4-9", feed.OffsetStatus{Generation: 2, Renewed: 1}, 0},
		{"with another end of what was begun", positionAt(5, "a5"), &feed.Range{First: 6, Last: *positionAt(8, "b8"), Deliveries: 3}, "4-9", feed.OffsetStatus{Generation: 2, Renewed: 1}, 0},
		{"with a stream that ends before what was begun", positionAt(5, "a5"), &feed.Range{First: 6, Last: *positionAt(11, "a11"), Deliveries: 6}, "4-9", feed.OffsetStatus{Generation: 2, Renewed: 1}, 0},
		{"with a gap in what was begun", positionAt(1, "a1"), &feed.Range{First: 2, Last: *positionAt(8, "a8"), Deliveries: 7}, "4-9", feed.OffsetStatus{Generation: 2, Renewed: 1, Missing: 2}, 0},
		{"with what was begun first of all", nil, &feed.Range{First: 4, Last: *positionAt(8, "a8"), Deliveries: 5}, "4-8 9-9", feed.OffsetStatus{Generation: 1}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := &feedtest.Stream{}, newArchive()
				s.Put("a0", "a1", "a2", "a3")
				s.Put(kept...)
				s.DropHead(4)
				s.End()
				a.generation, a.committed, a.pending = 1, tt.committed, tt.pending
				route := streamRoute(s, &archiveSink{archive: a})
				route.Batch.MaxDelay = time.Second
				r := start(t, feed.Options{}, route)
				if err := r.wait(); err != nil {
					t.Fatal(err)
				}
				var covered []string
				for _, r := range a.ranges {
					covered = append(covered, fmt.Sprintf("%d-%d", r.First, r.Last.Offset))
				}
				if got := strings.Join(covered, " "); got != tt.ranges {
					t.Errorf("ranges %q, want %q", got, tt.ranges)
				}
				want := tt.want
				want.Stream, want.Committed, want.Received = "stream", 9, 9
				status := r.status()
				if *status.Offsets != want {
					t.Errorf("offsets %+v, want %+v", *status.Offsets, want)
				}
				if n := status.Deliveries.Filtered["already stored"]; n != tt.known {
					t.Errorf("%d deliveries were stored already, want %d", n, tt.known)
				}
			})
		})
	}
}

func TestStreamEndsWhenFenced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, a := &feedtest.Stream{}, newArchive()
		s.Put("a0")
		older := start(t, feed.Options{}, streamRoute(s, &archiveSink{archive: a, id: 1}))
		synctest.Wait()
		newer := start(t, feed.Options{}, streamRoute(s, &archiveSink{archive: a, id: 2}))
		synctest.Wait()
		s.Put("a1")
		if err := older.wait(); !errors.Is(err, feed.ErrFenced) {
			t.Errorf("the older feed ended with %v, want feed.ErrFenced", err)
		}
		s.Put("a2")
		synctest.Wait()
		if got := a.stored(1); !slices.Equal(got, []string{"a0", "a1", "a2"}) {
			t.Errorf("stored %v", got)
		}
		if err := newer.stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestStreamRoutesAreValidated(t *testing.T) {
	s, q, checkpoints, plain := &feedtest.Stream{}, &feedtest.Queue{}, &archiveSink{archive: newArchive()}, &feedtest.Sink{}
	for _, tt := range []struct {
		name  string
		route feed.Route
		want  string
	}{
		{"a stream without checkpoints", feed.Route{Source: s, Sink: plain}, "does not remember how far"},
		{"checkpoints without a stream", feed.Route{Source: q, Sink: checkpoints}, "has no offsets"},
		{"checkpoints beside another sink", feed.Route{Source: s, Sink: feed.All(checkpoints, plain)}, "must be the only one"},
		{"checkpoints with order key", feed.Route{Source: s, Sink: checkpoints, Order: feed.OrderKey}, "needs the order wire"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.route.Name = "r"
			if _, err := feed.New(feed.Options{}, tt.route); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("feed.New: %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// streamStep is something that happens to a stream or its route.
type streamStep struct {
	kind  string
	n     int
	after time.Duration
}

// TestStreamModel runs random histories: whatever happens, each generation
// holds each message once, and the last one all that the stream still has.
func TestStreamModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		batch := feed.BatchLimits{
			MaxMessages: rapid.IntRange(1, 8).Draw(rt, "maxMessages"),
			MaxDelay:    rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(rt, "maxDelay"),
		}
		steps := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) streamStep {
			return streamStep{
				kind:  rapid.SampledFrom([]string{"put", "put", "put", "break", "restart", "take over", "drop head", "drop tail", "wipe"}).Draw(rt, "kind"),
				n:     rapid.IntRange(1, 10).Draw(rt, "n"),
				after: rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, time.Second, time.Minute}).Draw(rt, "after"),
			}
		}), 1, 20).Draw(rt, "steps")
		failures := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 40).Draw(rt, "failures")
		var err error
		synctest.Test(t, func(t *testing.T) { err = runStream(t, batch, steps, failures) })
		if err != nil {
			rt.Fatalf("%v\nbatch %+v, steps %+v, failures %v", err, batch, steps, failures)
		}
	})
}

// runStream fails each step of the sink for which failures has a zero.
func runStream(t *testing.T, batch feed.BatchLimits, steps []streamStep, failures []int) error {
	s, a, calls := &feedtest.Stream{Batch: 3}, newArchive(), 0
	a.fail = func(step string) error {
		if calls++; calls <= len(failures) && failures[calls-1] == 0 {
			return fmt.Errorf("%s failed", step)
		}
		return nil
	}
	var problems []error
	problem := func(format string, a ...any) { problems = append(problems, fmt.Errorf(format, a...)) }
	writer := 0
	life := func() (*feed.Feed, context.CancelFunc, chan error) {
		writer++
		route := streamRoute(s, &archiveSink{archive: a, id: writer})
		route.Name, route.Batch = "r", batch
		f, err := feed.New(feed.Options{
			Quarantine: &feedtest.Quarantine{}, DrainTimeout: 3 * time.Second, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		}, route)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		return f, cancel, ended
	}
	check := func(f *feed.Feed) {
		r := f.Status().Routes[0]
		if err := errors.Join(r.Deliveries.Check(), r.Produced.Check()); err != nil {
			problem("%w", err)
		}
	}
	f, stop, ended := life()
	put := 0
	for _, step := range steps {
		time.Sleep(step.after) // of fake time
		synctest.Wait()
		check(f)
		switch step.kind {
		case "put":
			for range step.n {
				s.Put(fmt.Sprint([]string{"a", "b", "unwanted", "malformed", "refused", "twice"}[put%6], put))
				put++
			}
		case "break":
			s.Break()
		case "drop head":
			s.DropHead(step.n)
		case "drop tail":
			s.DropTail(step.n)
		case "wipe":
			s.Wipe()
		case "restart":
			stop()
			if err := <-ended; err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
				problem("stop: %w", err)
			}
			check(f)
			f, stop, ended = life()
		case "take over":
			before, stopBefore, endedBefore := f, stop, ended
			f, stop, ended = life()
			synctest.Wait()
			stopBefore()
			if err := <-endedBefore; err != nil && !errors.Is(err, feed.ErrFenced) && !errors.Is(err, feed.ErrDrainDeadline) {
				problem("taken over: %w", err)
			}
			check(before)
		}
	}
	s.End()
	select {
	case err := <-ended:
		if err != nil {
			problem("run: %w", err)
		}
	case <-time.After(24 * time.Hour):
		problem("not finished a day after everything was well: %+v", f.Status().Routes[0])
	}
	stop()
	check(f)
	return errors.Join(append(problems, s.Misuse(), a.verify(s))...)
}

// verify judges what stands in the archive.
func (a *archive) verify(s *feedtest.Stream) error {
	var errs []error
	for _, name := range a.changed {
		errs = append(errs, fmt.Errorf("%s was made twice, with different content", name))
	}
	for g := uint64(1); g <= a.generation; g++ {
		all := a.stored(g)
		if once := slices.Compact(slices.Clone(all)); len(once) != len(all) {
			errs = append(errs, fmt.Errorf("generation %d holds messages twice: %v", g, all))
		}
	}
	last := a.stored(a.generation)
	for _, p := range s.Kept() {
		wanted := !strings.HasPrefix(p, "unwanted") && !strings.HasPrefix(p, "malformed") && !strings.HasPrefix(p, "refused")
		if _, found := slices.BinarySearch(last, p); found != wanted {
			errs = append(errs, fmt.Errorf("%s: in the last generation %t, want %t: %v", p, found, wanted, last))
		}
	}
	return errors.Join(errs...)
}
