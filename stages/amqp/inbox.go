package amqp

import (
	"context"
	"sync"
)

// inbox is where deliveries wait for Receive, which takes all that has
// arrived.
type inbox struct {
	wake chan struct{} // holds one token when there is something to see

	mu      sync.Mutex
	waiting []*delivery
	ended   error
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put appends a delivery, which is the inbox's from then on.
func (b *inbox) put(d *delivery) {
	b.mu.Lock()
	b.waiting = append(b.waiting, d)
	first := len(b.waiting) == 1
	b.mu.Unlock()
	if first {
		b.signal()
	}
}

// end makes every further take fail with err. What waits will come again: it
// could no longer be settled.
func (b *inbox) end(err error) {
	b.mu.Lock()
	if b.ended == nil {
		b.ended = err
	}
	b.mu.Unlock()
	b.signal()
}

func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take appends up to max waiting deliveries to dst and blocks for the first.
func (b *inbox) take(ctx context.Context, dst []*delivery, max int) ([]*delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		b.mu.Lock()
		if b.ended != nil {
			err := b.ended
			b.mu.Unlock()
			b.signal() // for any other reader
			return dst, err
		}
		if n := min(len(b.waiting), max); n > 0 {
			dst = append(dst, b.waiting[:n]...)
			rest := copy(b.waiting, b.waiting[n:])
			clear(b.waiting[rest:])
			b.waiting = b.waiting[:rest]
			b.mu.Unlock()
			if rest > 0 {
				b.signal()
			}
			return dst, nil
		}
		b.mu.Unlock()
		select {
		case <-b.wake:
		case <-ctx.Done():
		}
	}
}
