package amqp

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

func TestSourceEndsWithADeletedQueue(t *testing.T) {
	b := newFakeBroker("q")
	sub, err := fakeSource(t, b, func(*SourceConfig) {}).SubscribeBatch(t.Context(), "")
	noError(t, err)
	b.mu.Lock()
	delete(b.queues, "q")
	b.cond.Broadcast()
	b.mu.Unlock()
	if _, err := sub.Receive(t.Context(), nil, 1); err == nil || !strings.Contains(err.Error(), "the queue was deleted") {
		t.Errorf("receive: %v", err)
	}
	noError(t, sub.Close())
}

// Connections and their losses are counted, each once.
func TestSourceCountsConnections(t *testing.T) {
	b := newFakeBroker("q")
	source := fakeSource(t, b, func(*SourceConfig) {})
	for range 3 {
		noError(t, source.Probe(t.Context()))
		noError(t, source.Probe(t.Context()))
		source.conn.current().Abort()
	}
	dial := source.conn.dial
	source.conn.dial = func(context.Context) (link, error) { return nil, errors.New("nobody listens") }
	for range 2 {
		if err := source.Probe(t.Context()); err == nil {
			t.Fatal("reached nobody")
		}
	}
	source.conn.dial = dial
	noError(t, source.Probe(t.Context()))
	if e := source.Events(); e[eventConnected] != 4 || e[eventConnectionLost] != 3 {
		t.Errorf("events %v", e)
	}
}

func TestSourceMissingQueueIsTransient(t *testing.T) {
	b := newFakeBroker()
	source := fakeSource(t, b, func(*SourceConfig) {})
	_, err := source.SubscribeBatch(t.Context(), "")
	var c *feed.ConfigError
	if err == nil || !strings.Contains(err.Error(), `queue "q" does not exist`) || feed.IsPermanent(err) || errors.As(err, &c) {
		t.Errorf("subscribe: %v, want a transient error that names the queue", err)
	}
	b.mu.Lock()
	b.queues["q"] = nil // created later
	b.mu.Unlock()
	sub, err := source.SubscribeBatch(t.Context(), "")
	noError(t, err)
	noError(t, sub.Close())
	noError(t, source.Probe(t.Context()))
}

func TestSourceNeedsAQueue(t *testing.T) {
	source := fakeSource(t, newFakeBroker(), func(c *SourceConfig) { c.Queue = "" })
	var c *feed.ConfigError
	if _, err := source.SubscribeBatch(t.Context(), ""); !errors.As(err, &c) || c.Key != "queue" {
		t.Errorf("got %v", err)
	}
}

// Everything is settled by multiple-acks of runs, and given back without one
// nack or cancel.
func TestSourceAcknowledgesRunsInOneFrame(t *testing.T) {
	b := newFakeBroker("q")
	b.put("q", make([][]byte, 100)...)
	sub, err := fakeSource(t, b, func(*SourceConfig) {}).SubscribeBatch(t.Context(), "")
	noError(t, err)
	var ds []feed.Delivery
	for len(ds) < 100 {
		ds, err = sub.Receive(t.Context(), ds, 100)
		noError(t, err)
	}
	var s []feed.Settlement
	for _, d := range ds[:60] {
		s = append(s, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
	}
	noError(t, sub.Settle(t.Context(), s))
	noError(t, sub.Close())
	if got := b.acks(); len(got) != 1 || got[0] != "ack 60 true" {
		t.Errorf("wrote %v", got)
	}
	if n := b.left("q"); n != 40 {
		t.Errorf("%d left, want 40", n)
	}
	if err := sub.Settle(t.Context(), settlements(61)); err == nil {
		t.Error("settle after close reports success")
	}
	if _, err := sub.(feed.Describer).Describe(61); err != nil {
		t.Errorf("describe after close: %v", err)
	}
}

// Messages with properties of all kinds reach the quarantine as they came.
func TestDescribeProperties(t *testing.T) {
	b := newFakeBroker("q")
	b.mu.Lock()
	b.enqueue("q", "a.b", amqp091.Publishing{
		Body: []byte("x"), MessageId: "id", ContentType: "a/b", Timestamp: time.Unix(5, 0),
		Headers: amqp091.Table{"n": int64(1) << 60, "t": amqp091.Table{"l": []any{float32(1), "s"}}},
	})
	b.mu.Unlock()
	sub, err := fakeSource(t, b, func(*SourceConfig) {}).SubscribeBatch(t.Context(), "")
	noError(t, err)
	ds, err := sub.Receive(t.Context(), nil, 1)
	noError(t, err)
	o, err := sub.(feed.Describer).Describe(ds[0].Tag)
	noError(t, err)
	if o.Format != Format || o.Origin != "queue q" || string(o.Payload) != "x" {
		t.Errorf("got %+v", o)
	}
	p, err := DecodeProperties(o.Properties)
	noError(t, err)
	want := Properties{
		RoutingKey: "a.b", MessageID: "id", ContentType: "a/b", Timestamp: time.Unix(5, 0),
		Headers: amqp091.Table{"n": int64(1) << 60, "t": amqp091.Table{"l": []any{float32(1), "s"}}},
	}
	if !sameProperties(p, want) {
		t.Errorf("got %+v, want %+v", p, want)
	}
	noError(t, sub.Close())
}

func TestPlainSubscribeWaitsForEachAck(t *testing.T) {
	b := newFakeBroker("q")
	b.put("q", []byte("1"), []byte("2"))
	source := fakeSource(t, b, func(*SourceConfig) {})
	in, err := source.Subscribe(t.Context(), "")
	noError(t, err)
	first := <-in
	first.Nack()
	again := <-in
	if string(again.Payload) != "1" {
		t.Errorf("after a nack came %q", again.Payload)
	}
	ctx := again.Context()
	again.Ack()
	<-ctx.Done()
	next := <-in
	if string(next.Payload) != "2" {
		t.Errorf("got %q", next.Payload)
	}
	b.cut() // it comes again over a new connection
	next.Ack()
	if next := <-in; string(next.Payload) != "2" {
		t.Errorf("after a lost connection came %q", next.Payload)
	}
	noError(t, source.Close())
	if _, ok := <-in; ok {
		t.Error("the channel is open after close")
	}
	if _, err := source.Subscribe(t.Context(), ""); err == nil {
		t.Error("subscribe after close reports success")
	}
	if n := b.left("q"); n != 1 {
		t.Errorf("%d left, want 1", n)
	}
}
