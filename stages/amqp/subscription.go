package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// errSubscriptionClosed is what Receive and Settle return after Close.
var errSubscriptionClosed = errors.New("subscription closed")

// subscription hands out what one consumer gets, and acknowledges what is
// settled.
type subscription struct {
	*consumer
	close sync.Once
	fail  error // of close

	got    []*delivery // reused by Receive
	decode decoder     // Receive's
	// offset is called when the first delivery has an offset, as those of a
	// stream have; nil from then on.
	offset func()

	mu     sync.Mutex // guards the rest: Describe may come from elsewhere
	window window
	acks   acks
	closed bool
}

// consume starts a consumer on a queue.
func consume(l link, with consumption) (*subscription, error) {
	c, err := newConsumer(l, with)
	if err != nil {
		return nil, err
	}
	s := &subscription{consumer: c}
	s.acks = newAcks(with.prefetch, s.acknowledgeLate)
	return s, nil
}

// Receive implements [feed.Subscription].
func (s *subscription) Receive(ctx context.Context, dst []feed.Delivery, max int) ([]feed.Delivery, error) {
	var err error
	s.got, err = s.box.Take(ctx, s.got[:0], max)
	if err != nil {
		return dst, err
	}
	defer clear(s.got)
	s.mu.Lock()
	defer s.mu.Unlock()
	var free []message.Message
	for i, d := range s.got {
		p, err := s.decode.properties(d)
		if err == nil {
			err = s.window.add(d)
		}
		if err != nil {
			err = fmt.Errorf("consume from queue %q: delivery %d: %w", s.queue, d.tag, err)
			s.box.end(err)
			return dst, err
		}
		if len(free) == 0 { // few at a time, as in a slab
			free = make([]message.Message, min(len(s.got)-i, slabSize))
		}
		m := &free[0]
		free = free[1:]
		fill(m, d, &p)
		dst = append(dst, feed.Delivery{Message: m, Tag: d.tag, Redelivered: d.redelivered})
		if s.offset != nil {
			if _, err := offsetOf(&p); err == nil {
				s.offset()
			}
			s.offset = nil
		}
	}
	return dst, nil
}

// Settle implements [feed.Subscription]. The broker may learn of it up to
// ackLate later, but before the channel closes.
func (s *subscription) Settle(_ context.Context, list []feed.Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errSubscriptionClosed
	}
	for _, e := range list {
		if err := s.window.settle(e.Tag); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
	}
	var err error
	if len(list) > 0 && s.acks.owe(list) {
		err = s.acknowledge()
	} else if !s.link.Alive() {
		err = fmt.Errorf("acknowledge to queue %q: %w", s.queue, errLinkClosed)
	}
	if err != nil {
		s.acks.disown(list)
	}
	return err
}

// acknowledge tells the broker what is settled: a run that begins at the oldest
// unsettled delivery becomes one multiple-ack, everything else single acks; all
// leave in one write. The caller holds mu.
func (s *subscription) acknowledge() error {
	s.link.Cork()
	err := s.acks.acknowledge(s.ch, s.window.advance())
	if flushErr := s.link.Uncork(); err == nil {
		err = flushErr
	}
	if err != nil {
		return fmt.Errorf("acknowledge to queue %q: %w", s.queue, err)
	}
	s.acks.paid()
	return nil
}

// acknowledgeLate acknowledges what has waited for others.
func (s *subscription) acknowledgeLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.acks.armed = false
	if err := s.acknowledge(); err != nil {
		s.box.end(err)
	}
}

// Describe implements [feed.Describer].
func (s *subscription) Describe(tag uint64) (feed.Original, error) {
	s.mu.Lock()
	d, err := s.window.get(tag)
	s.mu.Unlock()
	if err != nil {
		return feed.Original{}, fmt.Errorf("describe: %w", err)
	}
	return describe(d, "queue "+s.queue)
}

// describe returns a delivery as it came.
func describe(d *delivery, origin string) (feed.Original, error) {
	p, err := new(decoder).properties(d)
	if err != nil {
		return feed.Original{}, fmt.Errorf("describe: %w", err)
	}
	properties, err := EncodeProperties(p)
	if err != nil {
		return feed.Original{}, fmt.Errorf("describe: %w", err)
	}
	return feed.Original{Payload: d.body, Format: Format, Properties: properties, Origin: origin}, nil
}

// Close gives everything unsettled back by closing the channel: the broker
// then puts all of it back in its old places at once. To cancel the consumer
// first would let the next one start while deliveries are still out; to nack
// one by one would mix up the order. A *[feed.SettleLostError] says how many
// settled deliveries the broker has not been told of.
func (s *subscription) Close() error {
	s.close.Do(func() {
		s.box.end(errSubscriptionClosed)
		err := bounded(context.Background(), s.link, closeTimeout, func() error {
			s.mu.Lock() // waits for a Settle that is writing
			s.closed = true
			s.acks.stop()
			if err := s.acknowledge(); err != nil {
				s.fail = &feed.SettleLostError{Settled: len(s.acks.owed), Err: err}
			}
			s.mu.Unlock()
			return s.ch.Close()
		})
		s.pump.Wait()
		if err != nil && !errors.Is(err, amqp091.ErrClosed) {
			s.fail = errors.Join(s.fail, fmt.Errorf("close channel: %w", err))
		}
	})
	return s.fail
}
