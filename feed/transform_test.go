package feed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// A transform that wants to know learns how each message ended that it has got,
// after the source has taken it for settled, and not of what it failed at.
func TestTransformIsToldWhatIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		q.Put("a:1", "a:none", "a:bad", "a:refused", "a:2")
		q.End()
		sink := &feedtest.Sink{Take: func(_ context.Context, b *feed.Batch) (int, error) {
			for i, m := range b.Messages {
				if string(m.Payload) == "a:refused/2" {
					return len(b.Messages), &feed.BatchError{Failures: []feed.Failure{{Index: i, Err: feed.Permanent(errors.New("never"))}}}
				}
			}
			return len(b.Messages), nil
		}}
		told, closed := map[string]feed.Outcome{}, 0
		split := feed.Transform{
			Name: "split",
			Func: func(m *message.Message) ([]*message.Message, error) {
				switch string(m.Payload) {
				case "a:none":
					return nil, feed.Filter("none")
				case "a:bad":
					return nil, feed.Permanent(errors.New("bad"))
				}
				var parts []*message.Message
				for i := range 3 {
					part := m.Copy()
					part.Payload = fmt.Appendf(nil, "%s/%d", m.Payload, i)
					parts = append(parts, part)
				}
				return parts, nil
			},
			Settled: func(ended []feed.Settled) {
				defer func() { panic("as a transform may") }()
				settled := map[feed.Outcome]int{}
				for _, s := range q.Settled() {
					settled[s.Outcome]++
				}
				for _, e := range ended {
					told[string(e.Message.Payload)] = e.Outcome
					if settled[e.Outcome] == 0 {
						t.Errorf("told of %s before it was settled", e.Message.Payload)
					}
				}
			},
			Close: func() error { closed++; return nil },
		}
		plain := feed.Transform{Name: "plain", Func: func(m *message.Message) ([]*message.Message, error) { return []*message.Message{m}, nil }}
		r := start(t, feed.Options{Quarantine: &feedtest.Quarantine{}}, feed.Route{Source: q, Transforms: []feed.Transform{plain, split}, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		want := map[string]feed.Outcome{"a:1": feed.Delivered, "a:none": feed.Filtered, "a:refused": feed.Quarantined, "a:2": feed.Delivered}
		if !maps.Equal(told, want) {
			t.Errorf("told %v, want %v", told, want)
		}
		if closed != 1 {
			t.Errorf("closed %d times", closed)
		}
	})
}

// A transform that takes batches gets many messages at once; what it panics at is
// quarantined alone, and a wrong number of results condemns nothing.
func TestTransformInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		q.Put("a:1", "a:2", "a:panics", "a:3", "a:4")
		q.End()
		sink, box := &feedtest.Sink{}, &feedtest.Quarantine{}
		var calls []int
		silent := 1
		batch := feed.Transform{Name: "batch", Batch: func(_ context.Context, msgs []*message.Message) (all []feed.Made) {
			calls = append(calls, len(msgs))
			if silent--; silent == 0 {
				return nil
			}
			for _, m := range msgs {
				if string(m.Payload) == "a:panics" {
					panic("at this one")
				}
				all = append(all, feed.Made{Messages: []*message.Message{m}})
			}
			return all
		}}
		r := start(t, feed.Options{Quarantine: box}, feed.Route{Source: q, Transforms: []feed.Transform{batch}, Sink: sink})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if want := []int{5, 5, 1, 1, 1, 1, 1}; !slices.Equal(calls, want) {
			t.Errorf("called with %v messages, want %v", calls, want)
		}
		if items := box.Items(); len(items) != 1 || string(items[0].Payload) != "a:panics" || !strings.Contains(items[0].Reason, ": at this one") {
			t.Errorf("quarantined %+v", items)
		}
		if got := len(q.Settled()); got != 5 {
			t.Errorf("%d deliveries are settled", got)
		}
	})
}

// A batch has no more messages than the route wants at once, however many the
// transform before it makes of one.
func TestBatchesOfTransformsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		for i := range 100 {
			q.Put(fmt.Sprintf("a:%d", i))
		}
		q.End()
		most, seen := 0, 0
		split := feed.Transform{Name: "split", Func: func(m *message.Message) (parts []*message.Message, _ error) {
			for range 10 {
				parts = append(parts, m.Copy())
			}
			return parts, nil
		}}
		count := feed.Transform{Name: "count", Batch: func(_ context.Context, msgs []*message.Message) (all []feed.Made) {
			most, seen = max(most, len(msgs)), seen+len(msgs)
			for _, m := range msgs {
				all = append(all, feed.Made{Messages: []*message.Message{m}})
			}
			return all
		}}
		r := start(t, feed.Options{}, feed.Route{Source: q, Transforms: []feed.Transform{split, count}, Sink: &feedtest.Sink{}, Batch: feed.BatchLimits{MaxMessages: 25}})
		if err := r.wait(); err != nil {
			t.Fatal(err)
		}
		if most > 34 || seen != 1000 {
			t.Errorf("at most %d messages at once, %d in all", most, seen)
		}
	})
}

// What is given back is not told.
func TestTransformIsNotToldWhatIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &feedtest.Queue{}
		q.Put("a:1")
		refused := make(chan struct{}, 100)
		sink := &feedtest.Sink{Take: func(context.Context, *feed.Batch) (int, error) {
			refused <- struct{}{}
			return 0, errors.New("down")
		}}
		watch := feed.Transform{
			Name:    "watch",
			Func:    func(m *message.Message) ([]*message.Message, error) { return []*message.Message{m}, nil },
			Settled: func(ended []feed.Settled) { t.Errorf("told of %v", ended) },
		}
		r := start(t, feed.Options{}, feed.Route{Source: q, Transforms: []feed.Transform{watch}, Sink: sink})
		<-refused
		if err := r.stop(); err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
			t.Fatal(err)
		}
		if n := len(q.Settled()); n != 0 {
			t.Errorf("%d deliveries are settled", n)
		}
	})
}

// A route that stops gives back at once what a transform fails at, waits for
// nothing else meanwhile, and says whose failure it was.
func TestDrainDoesNotWaitForATransform(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, sink := &feedtest.Queue{}, &feedtest.Sink{}
		q.Put("a:0", "a:fails", "a:1")
		away := feed.Transform{Name: "away", Func: func(m *message.Message) ([]*message.Message, error) {
			if string(m.Payload) == "a:fails" {
				return nil, errors.New("database is away")
			}
			return []*message.Message{m}, nil
		}}
		r := start(t, feed.Options{DrainTimeout: time.Hour}, feed.Route{Source: q, Transforms: []feed.Transform{away}, Sink: sink, Retry: feed.RetryPolicy{MaxDelay: time.Second}})
		time.Sleep(5 * time.Second) // of fake time
		if s := r.status(); s.State != feed.StateRetrying || !strings.Contains(s.Reason, "database is away") {
			t.Fatalf("state %s (%s)", s.State, s.Reason)
		}
		stopping := time.Now()
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if took := time.Since(stopping); took > 2*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		if got := sink.Taken(); !slices.Equal(got, []string{"a:0"}) || q.Len() != 2 {
			t.Errorf("taken %v, %d messages in the queue, want one and two", got, q.Len())
		}
		if s := r.status(); s.Deliveries.Returned["transform failing"] != 2 {
			t.Errorf("returned %v", s.Deliveries.Returned)
		}
	})
}

// A transform that fails for a moment while the route stops has that moment.
func TestDrainGivesATransformASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, tries, stop := &feedtest.Queue{}, 0, make(chan struct{})
		q.Put("a")
		locked := feed.Transform{Name: "locked", Func: func(m *message.Message) ([]*message.Message, error) {
			if tries++; tries == 1 {
				close(stop)
			}
			if tries < 3 {
				return nil, errors.New("locked")
			}
			return []*message.Message{m}, nil
		}}
		r := start(t, feed.Options{}, feed.Route{Source: q, Transforms: []feed.Transform{locked}, Sink: &feedtest.Sink{}})
		<-stop
		if err := r.stop(); err != nil {
			t.Error(err)
		}
		if s := r.status(); s.Deliveries.Delivered != 1 {
			t.Errorf("delivered %d after %d tries, returned %v", s.Deliveries.Delivered, tries, s.Deliveries.Returned)
		}
	})
}

// A transform that cannot work for long, and can tell, costs its deliveries one
// return to their source: each counts as an attempt there.
func TestPausedForATransformThatCanTell(t *testing.T) {
	for _, panics := range []bool{false, true} {
		t.Run(fmt.Sprint("panics: ", panics), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { pausedForATransform(t, panics) })
		})
	}
}

func pausedForATransform(t *testing.T, panics bool) {
	q, sink := &feedtest.Queue{}, &feedtest.Sink{}
	var down atomic.Bool
	work := func() error {
		if down.Load() {
			return errors.New("its process is left alone")
		}
		return nil
	}
	away := feed.Transform{
		Name: "away",
		Func: func(m *message.Message) ([]*message.Message, error) {
			return []*message.Message{m}, work()
		},
		Probe: func(context.Context) error {
			if err := work(); err != nil && panics {
				panic(err)
			}
			return work()
		},
	}
	r := start(t, feed.Options{}, feed.Route{Source: q, Transforms: []feed.Transform{away}, Sink: sink})
	synctest.Wait()
	down.Store(true)
	q.Put("a:0", "a:1")
	time.Sleep(72 * time.Hour) // of fake time
	if s := r.status(); s.State != feed.StatePaused || s.Ready || !strings.HasPrefix(s.Reason, "transform away: ") || !strings.HasSuffix(s.Reason, "its process is left alone") {
		t.Errorf("state %s (%s)", s.State, s.Reason)
	}
	if n := r.status().Deliveries.Returned["transform failing"]; n != 2 || q.Subscriptions() != 1 {
		t.Errorf("%d returned, subscribed %d times", n, q.Subscriptions())
	}
	down.Store(false)
	if err := sink.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}
