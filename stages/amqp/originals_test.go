package amqp

import (
	"reflect"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// TestRestore checks that a message that was described becomes what the source
// had made of its delivery.
func TestRestore(t *testing.T) {
	b := newFakeBroker("q")
	b.enqueue("q", "telemetry.a", amqp091.Publishing{
		Headers: amqp091.Table{"n": int32(5), "t": amqp091.Table{"x": true}, "topic": "hidden"}, ContentType: "text/plain", MessageId: "m1",
		CorrelationId: "c", ReplyTo: "r", Timestamp: time.Unix(1767225600, 0), Body: []byte("body"),
	})
	source := fakeSource(t, b, func(c *SourceConfig) { c.Queue = "q" })
	sub := resubscribe(t, source)
	d := receive(t, sub, 1)[0]
	original, err := sub.(feed.Describer).Describe(d.Tag)
	noError(t, err)
	got, err := Restore(original)
	noError(t, err)
	if got.UUID != d.Message.UUID || string(got.Payload) != "body" || !reflect.DeepEqual(got.Metadata, d.Message.Metadata) {
		t.Errorf("got %s %s %v, want %s %s %v", got.UUID, got.Payload, got.Metadata, d.Message.UUID, d.Message.Payload, d.Message.Metadata)
	}
	if _, err := Restore(feed.Original{Properties: []byte("{")}); err == nil {
		t.Error("broken properties were restored")
	}
}

// TestPublishOriginals checks that properties and typed headers reach the
// broker as they are, and which messages fail.
func TestPublishOriginals(t *testing.T) {
	b := newFakeBroker("q")
	want := amqp091.Publishing{
		Headers: amqp091.Table{"n": int8(-5), "list": []any{int64(1), true}}, ContentType: "x/y", DeliveryMode: amqp091.Transient, Priority: 3,
		Expiration: "60000", MessageId: "m", Timestamp: time.Unix(1767225600, 0).UTC(), Type: "t", AppId: "a", Body: []byte{0, 0xff},
	}
	p := Properties{
		Exchange: "elsewhere", RoutingKey: "q", Headers: want.Headers, ContentType: "x/y", DeliveryMode: amqp091.Transient, Priority: 3,
		Expiration: "60000", MessageID: "m", Timestamp: want.Timestamp, Type: "t", AppID: "a",
	}
	sink := fakeSink(t, b, func(*SinkConfig) {})
	noError(t, sink.PublishOriginals(t.Context(), []Outgoing{{p, want.Body}}))
	if got := b.queues["q"][0].msg; !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%#v, want\n%#v", got, want)
	}
	got := failures(t, sink.PublishOriginals(t.Context(), []Outgoing{
		{Properties{}, nil}, {p, want.Body}, {Properties{RoutingKey: strings.Repeat("k", 256)}, nil}, {Properties{RoutingKey: "q", RawHeaders: []byte("broken")}, nil},
	}))
	if len(got) != 3 || !feed.IsPermanent(got[0]) || !feed.IsPermanent(got[2]) || !feed.IsPermanent(got[3]) {
		t.Errorf("failures %v", got)
	}
}
