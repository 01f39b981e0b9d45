package feed

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// handOutAll passes the deliveries of a subscription on, one at a time: the
// next comes after the Ack of the one before, which is settled then. A Nack hands
// the same message out again, a little later each time. It blocks until ctx ends
// or the subscription does, and returns why; closing either is the caller's.
func handOutAll(ctx context.Context, sub Subscription, out chan<- *message.Message) error {
	var buf [1]Delivery
	for {
		got, err := sub.Receive(ctx, buf[:0], 1)
		if err != nil {
			return err
		}
		refused := backoff{first: time.Millisecond, longest: 100 * time.Millisecond}
		for {
			acked, err := handOut(ctx, got[0].Message, out)
			if err != nil {
				return err
			}
			if acked {
				break
			}
			if !sleep(ctx, refused.next()) { // nobody gains from a message that spins
				return ctx.Err()
			}
			// With nothing to settle it tells whether the subscription has ended: its
			// message may be somebody else's then.
			if err := sub.Settle(ctx, nil); err != nil {
				return err
			}
		}
		if err := sub.Settle(ctx, []Settlement{{Tag: got[0].Tag, Outcome: Delivered}}); err != nil {
			return err
		}
	}
}

// handOut passes a copy of m on and waits for its Ack or Nack. The copy's
// context ends when that is known.
func handOut(ctx context.Context, m *message.Message, out chan<- *message.Message) (acked bool, err error) {
	m = m.Copy()
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	m.SetContext(own)
	select {
	case out <- m:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	select {
	case <-m.Acked():
		return true, nil
	case <-m.Nacked():
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}
