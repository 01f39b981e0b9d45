package feed_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"

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
