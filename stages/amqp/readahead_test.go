package amqp

import (
	"bytes"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// Large messages wait in the broker, whatever the prefetch is, and a
// subscription, or the source, can be closed while they do.
func TestRabbitMQReadAhead(t *testing.T) {
	const messages, size, limit = 300, 64 << 10, 512 << 10
	v := testenv.RabbitMQ(t)
	p := newPublisher(t, v.URL())
	p.declare(t, "large", QueueQuorum)
	body := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for range messages {
		noError(t, p.ch.Publish("", "large", true, false, amqp091.Publishing{Body: body, DeliveryMode: amqp091.Persistent}))
	}
	source := realSource(t, v.URL(), func(c *SourceConfig) { c.Queue, c.Prefetch, c.ReadAhead = "large", messages, limit })
	sub := resubscribe(t, source)
	box := sub.(*subscription).box
	got := 0
	for got < messages/2 {
		ds, err := sub.Receive(t.Context(), nil, 3)
		noError(t, err)
		_, waits := box.Holds()
		if waits > limit {
			t.Fatalf("%d bytes wait, more than %d", waits, limit)
		}
		for _, d := range ds {
			if !bytes.Equal(d.Message.Payload, body) {
				t.Fatal("a payload is another")
			}
		}
		settle(t, sub, ds)
		got += len(ds)
	}
	noError(t, sub.Close()) // the rest is given back although it was not read
	sub = resubscribe(t, source)
	rest := receive(t, sub, messages-got)
	for _, d := range rest {
		if !bytes.Equal(d.Message.Payload, body) {
			t.Fatal("a payload is another")
		}
	}
	settle(t, sub, rest)
	noError(t, sub.Close())

	// The source ends promptly, too, while its reader waits.
	for range messages {
		noError(t, p.ch.Publish("", "large", true, false, amqp091.Publishing{Body: body, DeliveryMode: amqp091.Persistent}))
	}
	sub = resubscribe(t, source)
	box = sub.(*subscription).box
	testenv.Eventually(t, time.Minute, "the inbox is full", func() bool {
		_, waits := box.Holds()
		return waits > limit-size-1024 // no other fits; one that comes again is larger by a header
	})
	began := time.Now()
	noError(t, source.Close())
	if took := time.Since(began); took > closeTimeout/2 {
		t.Errorf("closing took %v", took)
	}
	noError(t, sub.Close())
	// A quorum queue may drop acknowledgements that came right before a close.
	if left := p.read(t, "large", messages); len(left) < messages {
		t.Errorf("%d messages are left, want %d at least", len(left), messages)
	}
}
