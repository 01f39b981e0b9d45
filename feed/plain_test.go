package feed_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// recorder is a plain Publisher that is durable, and fails at first.
type recorder struct {
	mu    sync.Mutex
	fails int
	calls [][]string
}

func (p *recorder) Publish(topic string, msgs ...*message.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails--; p.fails >= 0 {
		return errors.New("not yet")
	}
	call := []string{topic}
	for _, m := range msgs {
		call = append(call, string(m.Payload))
	}
	p.calls = append(p.calls, call)
	return nil
}

func (*recorder) Close() error { return nil }

func TestPlainPublisherGetsRunsOfEqualTopic(t *testing.T) {
	q, p := &feedtest.Queue{}, &recorder{fails: 2}
	q.Put("a:1", "a:2", "b:3", "a:4", "a:5")
	q.End()
	r := start(t, feed.Options{}, feed.Route{Source: q, Sink: feed.DurablePublisher(p), Retry: feed.RetryPolicy{InitialDelay: time.Millisecond, MaxDelay: time.Millisecond}})
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"a", "a:1", "a:2"}, {"b", "b:3"}, {"a", "a:4", "a:5"}}
	if !slices.EqualFunc(p.calls, want, slices.Equal) {
		t.Errorf("calls %v, want %v", p.calls, want)
	}
}

// Watermill's own GoChannel is a plain Subscriber, a HandlerFunc with
// Watermill's middleware around it a transform.
func TestWatermillStagesServeAsStages(t *testing.T) {
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	const n = 50
	for i := range n {
		m := message.NewMessage(watermill.NewUUID(), fmt.Appendf(nil, "%03d", i))
		m.Metadata.Set(feed.MetaTopic, "out")
		if err := channel.Publish("in", m); err != nil {
			t.Fatal(err)
		}
	}
	var failures atomic.Int32
	handler := middleware.Recoverer(middleware.Retry{MaxRetries: 3, InitialInterval: time.Millisecond}.Middleware(func(m *message.Message) ([]*message.Message, error) {
		if failures.Add(1)%10 == 0 {
			return nil, errors.New("now and then")
		}
		return []*message.Message{m}, nil
	}))
	sink := &feedtest.Sink{}
	var carried atomic.Int32
	r := start(t, feed.Options{Middleware: []message.HandlerMiddleware{middleware.Recoverer, func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			carried.Add(1)
			return h(m)
		}
	}}}, feed.Route{Source: channel, Topic: "in", Sink: sink, Transforms: []feed.Transform{{Name: "retry", Func: handler}}})
	if err := sink.Wait(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range sink.Taken() {
		seen[p] = true
	}
	if len(seen) != n {
		t.Errorf("%d different messages arrived, want %d", len(seen), n)
	}
	if carried.Load() == 0 {
		t.Error("the middleware saw no batch")
	}
}

func TestPlainSubscriberIsNackedWhenTheSinkIsDown(t *testing.T) {
	channel := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	if err := channel.Publish("in", message.NewMessage("1", []byte("x"))); err != nil {
		t.Fatal(err)
	}
	p := &recorder{fails: 20}
	r := start(t, feed.Options{}, feed.Route{Source: channel, Topic: "in", Sink: feed.DurablePublisher(p),
		Retry: feed.RetryPolicy{InitialDelay: time.Millisecond, MaxDelay: 2 * time.Millisecond, GiveBackAfter: 5 * time.Millisecond}})
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		p.mu.Lock()
		done := len(p.calls) > 0
		p.mu.Unlock()
		if done {
			tick.Stop()
			break
		}
	}
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	if s := r.status(); s.Deliveries.Returned["sink down"] == 0 || s.Deliveries.Delivered == 0 {
		t.Errorf("account %+v", s.Deliveries)
	}
}

func TestAMiddlewareThatEndsABatchLosesNothing(t *testing.T) {
	q, sink := &feedtest.Queue{}, &feedtest.Sink{}
	q.Put(numbered(10, "a")...)
	q.End()
	var refusals atomic.Int32
	r := start(t, feed.Options{Middleware: []message.HandlerMiddleware{func(h message.HandlerFunc) message.HandlerFunc {
		return func(m *message.Message) ([]*message.Message, error) {
			switch refusals.Add(1) {
			case 1:
				return nil, errors.New("circuit open")
			case 2:
				return nil, nil // ends it without an error
			case 3:
				panic("a bug in a middleware")
			}
			return h(m)
		}
	}}}, feed.Route{Source: q, Sink: sink, Retry: feed.RetryPolicy{InitialDelay: time.Millisecond, MaxDelay: time.Millisecond}})
	if err := r.wait(); err != nil {
		t.Fatal(err)
	}
	if got := sink.Taken(); !slices.Equal(got, numbered(10, "a")) {
		t.Errorf("taken %v", got)
	}
}
