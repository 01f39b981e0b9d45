package amqp

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Subscribe implements [message.Subscriber] for use without a feed: topic is
// the queue, or the empty string for the configured one. Messages come one at
// a time and in order: the next one comes after the Ack of the one before; a
// Nack puts the message back at its place, so that it comes again, a little
// later each time. The consumer is restored for ever after the first success;
// the channel closes when ctx ends or the source is closed.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fmt.Errorf("subscribe: %w", errClosed)
	}
	s.plain.Add(1) // from here on Close waits
	s.mu.Unlock()

	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	end := func() {
		stop()
		cancel()
		s.plain.Done()
	}
	sub, err := s.subscribe(ctx, topic, 1)
	if err != nil {
		end()
		return nil, fmt.Errorf("subscribe: %w", err)
	}
	out := make(chan *message.Message)
	go func() {
		defer end()
		defer close(out)
		s.forward(ctx, topic, sub, out)
	}()
	return out, nil
}

// forward hands out messages until ctx ends, over as many subscriptions as it
// takes.
func (s *Source) forward(ctx context.Context, topic string, sub *subscription, out chan<- *message.Message) {
	retry := backoff{first: 100 * time.Millisecond, limit: 2 * time.Second}
	for {
		err := forwardOne(ctx, sub, out)
		_ = sub.Close() // a failed close is a lost connection: all goes back anyway
		for err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "subscription lost", "topic", topic, "error", err)
			if retry.wait(ctx) != nil {
				return
			}
			sub, err = s.subscribe(ctx, topic, 1)
		}
		if ctx.Err() != nil {
			if err == nil {
				_ = sub.Close()
			}
			return
		}
		retry.reset()
	}
}

// forwardOne hands out the messages of one subscription, one at a time.
func forwardOne(ctx context.Context, sub *subscription, out chan<- *message.Message) error {
	var got []feed.Delivery
	refused := backoff{first: time.Millisecond, limit: 100 * time.Millisecond}
	for {
		var err error
		if got, err = sub.Receive(ctx, got[:0], 1); err != nil {
			return err
		}
		acked, err := handOut(ctx, got[0].Message, out)
		switch {
		case err != nil:
			return err
		case acked:
			refused.reset()
			err = sub.Settle(ctx, []feed.Settlement{{Tag: got[0].Tag, Outcome: feed.Delivered}})
		default:
			// Nobody gains from a message that spins through the broker.
			if err = refused.wait(ctx); err == nil {
				err = sub.nack(got[0].Tag)
			}
		}
		if err != nil {
			return err
		}
	}
}

// handOut passes one message on and waits for its Ack or Nack. The message's
// context ends when this is known.
func handOut(ctx context.Context, m *message.Message, out chan<- *message.Message) (acked bool, err error) {
	// A literal has no channels for Ack and Nack.
	whole := message.NewMessage(m.UUID, m.Payload)
	whole.Metadata = m.Metadata
	mctx, cancel := context.WithCancel(ctx)
	defer cancel()
	whole.SetContext(mctx)
	select {
	case out <- whole:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case <-whole.Acked():
		return true, nil
	case <-whole.Nacked():
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
