package amqp

import (
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func TestMetadata(t *testing.T) {
	d := newDelivery(amqp091.Delivery{
		RoutingKey: "a.b", ContentType: "text/plain", Timestamp: time.Unix(1767225600, 0), CorrelationId: "c", ReplyTo: "r", MessageId: "id",
		Body: []byte("body"),
		Headers: amqp091.Table{
			"s": "x", "i": int32(-5), "u": uint8(7), "l": int64(math.MaxInt64), "b": true, "f": 1.5, "f32": float32(0.1), "void": nil,
			"at": time.Unix(0, 0), "dec": amqp091.Decimal{Scale: 2, Value: -5}, "raw": []byte("ok"), "bin": []byte{0xff},
			"list":    []any{int8(1), []byte("z"), math.NaN(), nil},
			"table":   amqp091.Table{"k": amqp091.Table{"n": float32(math.Inf(1))}},
			"topic":   "stolen",
			"x-death": []any{amqp091.Table{"count": int64(1), "reason": "rejected"}},
		},
	})
	var m message.Message
	p := propertiesOf(t, d)
	fill(&m, d, &p)
	want := message.Metadata{
		"topic": "a.b", "content_type": "text/plain", "time": "2026-01-01T00:00:00Z", "correlation_id": "c", "reply_to": "r",
		"s": "x", "i": "-5", "u": "7", "l": "9223372036854775807", "b": "true", "f": "1.5", "f32": "0.1", "void": "",
		"at": "1970-01-01T00:00:00Z", "dec": "-0.05", "raw": "ok", "bin": "/w==",
		"list": `[1,"z","NaN",null]`, "table": `{"k":{"n":"+Inf"}}`, "x-death": `[{"count":1,"reason":"rejected"}]`,
	}
	if !maps.Equal(m.Metadata, want) {
		t.Errorf("got  %v\nwant %v", m.Metadata, want)
	}
	stolen := metadata(&Properties{Headers: amqp091.Table{"content_type": "a", "time": "b", "correlation_id": "c", "reply_to": "d"}})
	if !maps.Equal(stolen, message.Metadata{"topic": ""}) {
		t.Errorf("headers took reserved names: %v", stolen)
	}
	if m.UUID != "id" || &m.Payload[0] != &d.body[0] {
		t.Error("the message has another id, or a copy of the body")
	}
}

// Any header that AMQP can carry has a text, and one of nested values is JSON.
func TestHeaderText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyField(3).Draw(t, "value")
		s := headerText(v)
		switch v.(type) {
		case amqp091.Table, []any:
			if !json.Valid([]byte(s)) {
				t.Fatalf("%v became %q", v, s)
			}
		}
	})
}

func TestDecimalText(t *testing.T) {
	for _, c := range []struct {
		d    amqp091.Decimal
		want string
	}{
		{amqp091.Decimal{Scale: 0, Value: 12}, "12"},
		{amqp091.Decimal{Scale: 2, Value: 12345}, "123.45"},
		{amqp091.Decimal{Scale: 2, Value: 5}, "0.05"},
		{amqp091.Decimal{Scale: 3, Value: -12}, "-0.012"},
		{amqp091.Decimal{Scale: 1, Value: math.MinInt32}, "-214748364.8"},
	} {
		if got := decimalText(c.d); got != c.want {
			t.Errorf("%v is %q, want %q", c.d, got, c.want)
		}
	}
}

func TestPublishing(t *testing.T) {
	m := &message.Message{UUID: "id", Payload: []byte("p"), Metadata: message.Metadata{
		"topic": "k", "content_type": "a/b", "time": "2026-01-02T03:04:05.6+01:00", "correlation_id": "c", "reply_to": "r", "x": "1",
	}}
	p, err := publishing(m, "k", "default/type")
	noError(t, err)
	if p.MessageId != "id" || p.ContentType != "a/b" || p.CorrelationId != "c" || p.ReplyTo != "r" || p.DeliveryMode != amqp091.Persistent ||
		p.Timestamp.Unix() != 1767319445 || len(p.Headers) != 1 || p.Headers["x"] != "1" || string(p.Body) != "p" {
		t.Errorf("got %+v", p)
	}
	p, err = publishing(&message.Message{Metadata: message.Metadata{"time": "yesterday"}}, "k", "default/type")
	noError(t, err)
	if p.ContentType != "default/type" || !p.Timestamp.IsZero() || p.Headers != nil {
		t.Errorf("got %+v", p)
	}
}

func TestPublishingRefusesWhatAMQPCannotCarry(t *testing.T) {
	long := strings.Repeat("x", 256)
	for name, c := range map[string]struct {
		m   *message.Message
		key string
	}{
		"routing key":    {m: &message.Message{}, key: long},
		"message id":     {m: &message.Message{UUID: long}},
		"header name":    {m: &message.Message{Metadata: message.Metadata{long: ""}}},
		"content type":   {m: &message.Message{Metadata: message.Metadata{"content_type": long}}},
		"correlation id": {m: &message.Message{Metadata: message.Metadata{"correlation_id": long}}},
		"reply-to":       {m: &message.Message{Metadata: message.Metadata{"reply_to": long}}},
		"all headers":    {m: &message.Message{Metadata: message.Metadata{"x": strings.Repeat("x", 128<<10)}}},
	} {
		if _, err := publishing(c.m, c.key, ""); !feed.IsPermanent(err) {
			t.Errorf("%s: %v, want a permanent error", name, err)
		}
	}
}
