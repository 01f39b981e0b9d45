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
		err := feed.HandOut(ctx, sub, out)
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
