package mqtt

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Subscribe implements [message.Subscriber] for use without a feed; topic is as
// in SubscribeBatch. Messages come one at a time and in order: the next one
// comes after the Ack of the one before, and one with a Nack comes again, a
// little later each time. The connection is restored for ever after the first
// success; the channel closes when ctx ends or the source is closed.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, fmt.Errorf("subscribe: %w", errSourceClosed)
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
	sub, err := s.subscribe(ctx, topic)
	if err != nil {
		end()
		return nil, err
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
		if closeErr := sub.Close(); closeErr != nil {
			s.log.WarnContext(ctx, "closing a subscription", "topic", topic, "error", closeErr)
		}
		for err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "subscription lost", "topic", topic, "error", err)
			if pause(ctx, retry.take()) != nil {
				return
			}
			sub, err = s.subscribe(ctx, topic)
		}
		if ctx.Err() != nil {
			if err == nil {
				_ = sub.Close() // of a subscription that nobody has had
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
		for acked := false; !acked; {
			if acked, err = handOut(ctx, got[0].Message, out); err != nil {
				return err
			}
			if acked {
				refused.reset()
			} else if err := pause(ctx, refused.take()); err != nil {
				return err
			}
		}
		if err := sub.Settle(ctx, []feed.Settlement{{Tag: got[0].Tag, Outcome: feed.Delivered}}); err != nil {
			return err
		}
	}
}

// handOut passes one message on and waits for its Ack or Nack. The message's
// context ends when this is known.
func handOut(ctx context.Context, m *message.Message, out chan<- *message.Message) (acked bool, err error) {
	// A literal has no channels for Ack and Nack.
	whole := message.NewMessage(m.UUID, m.Payload)
	for k, v := range m.Metadata {
		whole.Metadata[k] = v // its own: a handler may change it and refuse the message
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	whole.SetContext(ctx)
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
