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
	s.plain.Go(func() {
		defer close(out)
		defer u.Close() //nolint:errcheck // it is always nil
		u.pump(ctx, out)
	})
	return out, nil
}

// pump hands out messages until the subscription ends.
func (u *subscription) pump(ctx context.Context, out chan<- *message.Message) {
	var buf [1]feed.Delivery
	for {
		got, err := u.Receive(ctx, buf[:0], 1)
		if err != nil {
			return // ctx has ended, Close was called, or that was all
		}
		for {
			acked, ok := hand(ctx, u.done, out, got[0].Message)
			if !ok {
				return
			}
			if acked {
				break
			}
		}
		if err := u.Settle(ctx, []feed.Settlement{{Tag: got[0].Tag, Outcome: feed.Delivered}}); err != nil {
			return
		}
	}
}

// hand sends a copy of m and waits for its Ack or Nack.
func hand(ctx context.Context, done <-chan struct{}, out chan<- *message.Message, m *message.Message) (acked, ok bool) {
	m = m.Copy()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m.SetContext(ctx)
	select {
	case out <- m:
	case <-ctx.Done():
		return false, false
	case <-done:
		return false, false
	}
	select {
	case <-m.Acked():
		return true, true
	case <-m.Nacked():
		return false, true
	case <-ctx.Done():
		return false, false
	case <-done:
		return false, false
	}
}
