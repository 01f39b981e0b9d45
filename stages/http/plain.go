package http

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Subscribe hands out one message at a time, and the next after its Ack. A Nack
// hands the same message out again. The channel is closed when ctx ends or the
// source is closed; what was not acknowledged goes back.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	sub, err := s.SubscribeBatch(ctx, topic)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lifetime.Err() != nil { // Close waits for no more goroutines
		return nil, ErrClosed
	}
	out := make(chan *message.Message)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.lifetime, cancel)
	s.plain.Go(func() {
		defer stop()
		defer cancel()
		defer close(out)
		defer sub.Close() //nolint:errcheck // it is always nil
		// Its end is that of ctx or of the source.
		_ = feed.HandOut(ctx, sub, out)
	})
	return out, nil
}
