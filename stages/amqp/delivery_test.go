package amqp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// nestedTable returns a table in which others nest that deep, with an array
// among them.
func nestedTable(depth int) amqp091.Table {
	t := amqp091.Table{"last": int64(7)}
	for i := range depth {
		if i%10 == 9 {
			t = amqp091.Table{"a": []any{t["t"]}}
			continue
		}
		t = amqp091.Table{"t": t}
	}
	return t
}

func deepTable(t testing.TB, depth int) []byte {
	raw, err := writeTable(nestedTable(depth))
	noError(t, err)
	return raw
}

// headersFrame encodes the content header of an empty message.
func headersFrame(channel uint16, table []byte) []byte {
	payload := binary.BigEndian.AppendUint16(append([]byte{0, 60, 0, 0}, make([]byte, 8)...), hasHeaders|hasPriority)
	payload = appendBytes(payload, table)
	return frame(frameHeader, channel, append(payload, 5))
}

// describable checks that a delivery's properties survive as JSON.
func describable(t testing.TB, d *delivery) Properties {
	t.Helper()
	want := propertiesOf(t, d)
	data, err := EncodeProperties(want)
	noError(t, err)
	got, err := DecodeProperties(data)
	noError(t, err)
	if !sameProperties(got, want) {
		t.Fatalf("got %+v\nof %s\nwant %+v", got, data, want)
	}
	return got
}

// Headers that cannot be read do not keep a message from coming, nor the ones
// behind it.
func TestUnreadableHeaders(t *testing.T) {
	for _, c := range []struct {
		name     string
		table    []byte
		readable bool
	}{
		{"empty", nil, true},
		{"deep", deepTable(t, maxTableDepth), true},
		{"too deep", deepTable(t, maxTableDepth+1), false},
		{"far too deep", deepTable(t, 1000), false},
		{"unknown type", []byte{1, 'k', '?'}, false},
		{"cut value", []byte{1, 'k', 'l', 0}, false},
		{"cut name", []byte{9, 'k'}, false},
		{"cut inner table", []byte{1, 'k', 'F', 0, 0, 0, 9, 1}, false},
		{"malformed inner array", []byte{1, 'k', 'A', 0, 0, 0, 1, '?'}, false},
		{"good, then malformed", []byte{1, 'a', 't', 1, 1, 'k', '?'}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSplitter()
			box := newInbox(feed.MiB)
			defer s.deliver("ours", box)()
			first := deliverFrames(1, "ours", &amqp091.Delivery{DeliveryTag: 1, RoutingKey: "k"}, 1)[0]
			second := deliverFrames(1, "ours", &amqp091.Delivery{DeliveryTag: 2, Body: []byte("good")}, 100)
			for _, f := range append([][]byte{first, headersFrame(1, c.table)}, second...) {
				s.filled(copy(s.space(), f))
				if n, err := s.take(make([]byte, 10)); n != 0 || err != nil {
					t.Fatalf("%d bytes passed, %v", n, err)
				}
			}
			got := box.Rest()
			if len(got) != 2 {
				t.Fatalf("%d deliveries", len(got))
			}
			d := got[0]
			clear(s.buf) // nothing may refer to it
			p := propertiesOf(t, d)
			if c.readable != (p.Headers != nil) || c.readable != (p.RawHeaders == nil) || !c.readable && !bytes.Equal(p.RawHeaders, c.table) {
				t.Errorf("headers %v, raw headers %x", p.Headers, p.RawHeaders)
			}
			if p.Priority != 5 {
				t.Errorf("the property behind the headers is %d", p.Priority)
			}
			var m message.Message
			fill(&m, d, &p)
			if !c.readable && (len(m.Metadata) != 1 || m.Metadata[feed.MetaTopic] != "k") {
				t.Errorf("metadata %v", m.Metadata)
			}
			describable(t, d)
		})
	}
}

// A message with headers nested too deep must not block its queue.
func TestRabbitMQDeepHeaders(t *testing.T) {
	v := testenv.RabbitMQ(t)
	p := newPublisher(t, v.URL())
	for _, depth := range []int{maxTableDepth, maxTableDepth + 1, 45, 1000} {
		t.Run(fmt.Sprint(depth), func(t *testing.T) {
			queue := fmt.Sprintf("deep-%d", depth)
			p.declare(t, queue, QueueQuorum)
			want := nestedTable(depth)
			noError(t, p.ch.Publish("", queue, true, false, amqp091.Publishing{Headers: want, MessageId: "deep", Body: []byte("0")}))
			p.put(t, queue, numbers(1, 9)...)
			sub := resubscribe(t, realSource(t, v.URL(), func(c *SourceConfig) { c.Queue = queue }))
			ds := receive(t, sub, 10)
			expectNumbers(t, ds, 0)
			o, err := sub.(feed.Describer).Describe(ds[0].Tag)
			noError(t, err)
			properties, err := DecodeProperties(o.Properties)
			noError(t, err)
			if (properties.RawHeaders != nil) != (depth > maxTableDepth) {
				t.Errorf("described as %s", o.Properties)
			}
			again, err := properties.Publishing(o.Payload)
			noError(t, err)
			if !same(again.Headers, want) || again.MessageId != "deep" || string(again.Body) != "0" {
				t.Errorf("another message was described: %s", o.Properties)
			}
			settle(t, sub, ds)
			noError(t, sub.Close())
			if left := p.read(t, queue, 0); len(left) != 0 {
				t.Errorf("%d messages are left", len(left))
			}
		})
	}
}

// A message that is kept for long keeps few others.
func TestParkedMessageKeepsFewOthers(t *testing.T) {
	const n = 1000
	s, _ := testSubscription(0)
	var freed atomic.Int64
	few := make(chan struct{})
	for i := range n {
		body := make([]byte, smallBody)
		runtime.AddCleanup(&body[0], func(int) {
			if freed.Add(1) == n-slabSize {
				close(few)
			}
		}, 0)
		s.box.Put(&delivery{tag: uint64(i + 1), properties: []byte{0, 0}, body: body}, s.box.Signal)
	}
	got, err := s.Receive(t.Context(), nil, n)
	noError(t, err)
	if len(got) != n {
		t.Fatalf("received %d", len(got))
	}
	parked := got[n/2].Message
	for i := range n {
		noError(t, s.window.settle(uint64(i+1)))
	}
	clear(got)
	runtime.GC()
	select {
	case <-few:
	case <-time.After(soon):
		t.Errorf("one message keeps %d others", n-freed.Load()-1)
	}
	runtime.KeepAlive(parked)
	runtime.KeepAlive(s)
}
