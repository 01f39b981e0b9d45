package amqp

import (
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// fakeChunk is how many messages a chunk of a fake stream has: a consumer that
// begins at "last" gets the last of them.
const fakeChunk = 3

// fakeStream is a stream in memory. As RabbitMQ does, it takes an offset below
// the first one for the first one, and lets a consumer wait that begins beyond
// the end, without a word.
type fakeStream struct {
	base   int64 // offset of the first message
	bodies [][]byte
}

func (s *fakeStream) end() int64 { return s.base + int64(len(s.bodies)) }

// append appends to a stream.
func (b *fakeBroker) append(stream string, bodies ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, body := range bodies {
		b.streams[stream].bodies = append(b.streams[stream].bodies, []byte(body))
	}
	b.cond.Broadcast()
}

// dropHead drops n messages at the beginning.
func (b *fakeBroker) dropHead(stream string, n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.streams[stream]
	s.base, s.bodies = s.base+int64(n), s.bodies[n:]
}

// consumeStream starts a consumer; the caller holds the broker's lock.
func (ch *fakeChannel) consumeStream(s *fakeStream, consumer string, args amqp091.Table) (<-chan amqp091.Delivery, error) {
	if ch.prefetch == 0 {
		return nil, ch.exception(amqp091.PreconditionFailed, "PRECONDITION_FAILED - consumer prefetch count is not set for stream")
	}
	next := s.end()
	switch start := args[offsetHeader].(type) {
	case int64:
		next = max(start, s.base)
	case string:
		switch start {
		case "first":
			next = s.base
		case "last":
			next = max(s.base, s.end()-fakeChunk)
		}
	}
	ch.stream = true
	out := make(chan amqp091.Delivery)
	box := ch.l.boxes[consumer]
	ch.pump.Go(func() { ch.deliverStream(s, next, box, out) })
	return out, nil
}

func (ch *fakeChannel) deliverStream(s *fakeStream, next int64, box *inbox, out chan<- amqp091.Delivery) {
	defer close(out)
	b := ch.l.b
	for {
		b.mu.Lock()
		for !ch.closed && (next >= s.end() || len(ch.unacked) >= ch.prefetch) {
			b.cond.Wait()
		}
		if ch.closed {
			b.mu.Unlock()
			return
		}
		ch.tag++
		ch.unacked = append(ch.unacked, fakeUnacked{tag: ch.tag})
		d := newDelivery(amqp091.Delivery{
			DeliveryTag: ch.tag, RoutingKey: "k", Body: s.bodies[next-s.base], Headers: amqp091.Table{offsetHeader: next},
		})
		next++
		b.mu.Unlock()
		box.Put(d, box.Signal)
		box.Signal()
	}
}
