package mqtt

import (
	"context"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// inbox is where deliveries wait for Receive. When they are larger than what it
// may hold, it lets the connection's reader wait: what then comes stays in the
// socket, and in the broker.
type inbox struct {
	wake    chan struct{} // holds one token when there is something to see
	crowded chan struct{} // closed when the reader has had to wait

	mu      sync.Mutex
	room    sync.Cond // signalled when bytes shrinks, and at the end
	waiting []*delivery
	bytes   feed.Size // of what waits
	limit   feed.Size // of bytes; one delivery may exceed it
	full    bool      // the reader waits
	ended   error
}

func newInbox(limit feed.Size) *inbox {
	b := &inbox{wake: make(chan struct{}, 1), crowded: make(chan struct{}), limit: limit}
	b.room.L = &b.mu
	return b
}

// signalEvery is after how many deliveries Receive learns of them although the
// reader has more at hand.
const signalEvery = 64

// put appends a delivery and blocks while there is no room for it, but not
// beyond the inbox's end; it reports whether the inbox had not ended. Whoever puts calls signal after the last one at hand:
// Receive, woken by the first, would take just that.
func (b *inbox) put(d *delivery) bool {
	size := d.size()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.ended == nil && len(b.waiting) > 0 && b.bytes > b.limit-size {
		if !b.full {
			b.full = true
			b.signal()
			b.crowd()
		}
		b.room.Wait()
	}
	b.full = false
	if b.ended != nil {
		return false
	}
	b.waiting = append(b.waiting, d)
	b.bytes += size
	if len(b.waiting)%signalEvery == 0 {
		b.signal()
	}
	return true
}

// crowd closes crowded, once. The caller holds mu.
func (b *inbox) crowd() {
	select {
	case <-b.crowded:
	default:
		close(b.crowded)
	}
}

// stalls reports whether the reader waits for room.
func (b *inbox) stalls() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}

// end makes every further take fail with err, and every further put.
func (b *inbox) end(err error) {
	b.mu.Lock()
	if b.ended == nil {
		b.ended = err
	}
	b.room.Broadcast()
	b.mu.Unlock()
	b.signal()
}

// rest returns what waits, after the end.
func (b *inbox) rest() []*delivery {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.waiting
	b.waiting, b.bytes = nil, 0
	return waiting
}

// signal has Receive look at what is there.
func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// take appends up to max waiting deliveries to dst and blocks for the first;
// with a max of 0, until ctx or the inbox ends.
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
			for _, d := range b.waiting[:n] {
				b.bytes -= d.size()
			}
			rest := copy(b.waiting, b.waiting[n:])
			clear(b.waiting[rest:])
			b.waiting = b.waiting[:rest]
			b.room.Signal() // to the one reader
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
