package amqp

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// The connection's reader waits while the inbox is full, and goes on when
// Receive has made room.
func TestInboxHoldsNoMoreThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newInbox(100)
		put := 0
		go func() {
			for i := range 10 {
				box.put(&delivery{tag: uint64(i + 1), body: make([]byte, 40)}, box.signal)
				put++
			}
		}()
		var got []*delivery
		for len(got) < 10 {
			synctest.Wait()
			if want := min(len(got)+2, 10); put != want || box.bytes != feed.Size(40*(put-len(got))) {
				t.Fatalf("%d were put and wait with %d bytes, want %d", put, box.bytes, want)
			}
			var err error
			got, err = box.take(t.Context(), got, 1)
			noError(t, err)
		}
		for i, d := range got {
			if d.tag != uint64(i+1) {
				t.Errorf("delivery %d has tag %d", i, d.tag)
			}
		}
		if box.bytes != 0 {
			t.Errorf("the empty inbox counts %d bytes", box.bytes)
		}
	})
}

func TestInboxTakesOneThatExceedsItsLimit(t *testing.T) {
	box := newInbox(100)
	box.put(&delivery{tag: 1, body: make([]byte, 1000)}, box.signal)
	got, err := box.take(t.Context(), nil, 10)
	if err != nil || len(got) != 1 {
		t.Errorf("took %d, %v", len(got), err)
	}
}

// A reader that waits must not keep a subscription from ending, nor the
// connection from reading on behind it.
func TestInboxEndsUnderAWaitingReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := newInbox(100)
		read := false
		go func() {
			for i := range 10 {
				box.put(&delivery{tag: uint64(i + 1), body: make([]byte, 80)}, box.signal)
			}
			read = true
		}()
		synctest.Wait()
		if read {
			t.Fatal("the reader did not wait")
		}
		over := errors.New("over")
		box.end(over)
		synctest.Wait()
		if !read {
			t.Error("the reader still waits")
		}
		if _, err := box.take(context.Background(), nil, 10); !errors.Is(err, over) {
			t.Errorf("take: %v", err)
		}
		if len(box.waiting) > 0 || box.bytes > 0 {
			t.Errorf("%d deliveries of %d bytes are kept", len(box.waiting), box.bytes)
		}
	})
}

// Large messages wait in the broker, whatever the prefetch is, and a
// subscription, or the source, can be closed while they do.
func TestRabbitMQReadAhead(t *testing.T) {
	const messages, size, limit = 300, 64 << 10, 512 << 10
	v := testenv.RabbitMQ(t)
	p := newPublisher(t, v.URL())
	declareQueue(t, p.ch, "large", QueueQuorum)
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
		box.mu.Lock()
		waits := box.bytes
		box.mu.Unlock()
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
	testenv.Eventually(t, 20*time.Second, "the inbox is full", func() bool {
		box.mu.Lock()
		defer box.mu.Unlock()
		return box.bytes > limit-size-1024 // no other fits; one that comes again is larger by a header
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
