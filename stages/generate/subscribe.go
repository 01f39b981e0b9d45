package generate

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Subscribe hands out one message at a time, and the next after its Ack. A Nack
// hands the same reading out again. The channel is closed when ctx ends, the
// source is closed, or the last reading was acknowledged; what was not
// acknowledged goes back.
func (s *Source) Subscribe(ctx context.Context, _ string) (<-chan *message.Message, error) {
	u, err := s.subscribe(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed { // Close waits for no more goroutines
		return nil, ErrClosed
	}
	out := make(chan *message.Message)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.lifetime, cancel)
	s.plain.Go(func() {
		defer stop()
		defer cancel()
		defer close(out)
		defer u.Close() //nolint:errcheck // it is always nil
		// Its end is that of ctx, of the source, or of the readings.
		_ = feed.HandOut(ctx, u, out)
	})
	return out, nil
}
