package amqp

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff is a growing pause: it doubles from first to limit, and each is cut
// by up to a half at random, so that many clients do not come back at once.
type backoff struct {
	first, limit time.Duration
	next         time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// wait pauses, or returns the context's error.
func (b *backoff) wait(ctx context.Context) error {
	d := max(b.next, b.first)
	b.next = min(2*d, b.limit)
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
