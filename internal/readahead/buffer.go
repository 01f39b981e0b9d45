// Package readahead has the place where what a source has read waits for
// Receive.
package readahead

import (
	"context"
	"math"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// Buffer holds deliveries from when the connection's reader has read them until
// Receive takes all that has arrived. When they are larger than what it may
// hold, it lets the reader wait: what then comes stays in the socket, and in the
// broker. One goroutine puts; all methods are safe for concurrent use.
type Buffer[D any] struct {
	size func(D) feed.Size
	wake chan struct{} // holds one token when there is something to see

	mu      sync.Mutex
	room    sync.Cond // signalled when bytes shrinks, and at the end
	waiting []D
	bytes   feed.Size // of what waits
	limit   feed.Size // of bytes; one delivery may exceed it
	full    bool      // the reader waits
	ended   error
}

// New returns an empty buffer of so many bytes, given the memory that a delivery
// takes.
func New[D any](limit feed.Size, size func(D) feed.Size) *Buffer[D] {
	b := &Buffer[D]{size: size, wake: make(chan struct{}, 1), limit: limit}
	b.room.L = &b.mu
	return b
}

// signalEvery is after how many deliveries Receive learns of them although the
// reader has more at hand.
const signalEvery = 64

// Put appends a delivery, which is the buffer's from then on. It blocks while
// there is no room, but not beyond the end, and calls full before that; full
// must not use the buffer but to signal. It reports whether the buffer had not
// ended: otherwise the delivery is dropped. Whoever puts calls Signal after the
// last one at hand: Receive, woken by the first, would take just that.
func (b *Buffer[D]) Put(d D, full func()) bool {
	size := b.size(d)
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.ended == nil && len(b.waiting) > 0 && b.bytes > b.limit-size {
		if !b.full {
			b.full = true
			full()
		}
		b.room.Wait()
	}
	blocked := b.full
	b.full = false
	if b.ended != nil {
		return false
	}
	b.waiting = append(b.waiting, d)
	b.bytes += size
	if blocked || len(b.waiting)%signalEvery == 0 {
		b.Signal()
	}
	return true
}

// Signal has Receive look at what is there.
func (b *Buffer[D]) Signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Wake returns a channel that holds a token when there is something that no Take
// has seen.
func (b *Buffer[D]) Wake() <-chan struct{} { return b.wake }

// Full reports whether the reader waits for room.
func (b *Buffer[D]) Full() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.full
}

// Holds returns how many deliveries wait, and the memory that they take.
func (b *Buffer[D]) Holds() (deliveries int, bytes feed.Size) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting), b.bytes
}

// Unbound has the reader never wait again: the connection is about to end, and
// what it still has to say lies behind the deliveries.
func (b *Buffer[D]) Unbound() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = math.MaxInt64
	b.room.Broadcast()
}

// End makes every further Take fail with err, and every further Put. The first
// error stays.
func (b *Buffer[D]) End(err error) {
	b.mu.Lock()
	if b.ended == nil {
		b.ended = err
	}
	b.room.Broadcast()
	b.mu.Unlock()
	b.Signal()
}

// Rest takes what waits, after the end.
func (b *Buffer[D]) Rest() []D {
	b.mu.Lock()
	defer b.mu.Unlock()
	waiting := b.waiting
	b.waiting, b.bytes = nil, 0
	return waiting
}

// Await blocks until there is something to take. It may be called when nobody
// takes.
func (b *Buffer[D]) Await(ctx context.Context) error {
	for {
		b.mu.Lock()
		err, some := b.ended, len(b.waiting) > 0
		b.mu.Unlock()
		if err != nil || some {
			b.Signal() // for who takes
			return err
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Take appends up to most waiting deliveries to dst and blocks for the first;
// with a most of 0, until ctx or the buffer ends.
func (b *Buffer[D]) Take(ctx context.Context, dst []D, most int) ([]D, error) {
	for {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		b.mu.Lock()
		if b.ended != nil {
			err := b.ended
			b.mu.Unlock()
			b.Signal() // for any other reader
			return dst, err
		}
		if n := min(len(b.waiting), most); n > 0 {
			dst = append(dst, b.waiting[:n]...)
			for _, d := range b.waiting[:n] {
				b.bytes -= b.size(d)
			}
			rest := copy(b.waiting, b.waiting[n:])
			clear(b.waiting[rest:])
			b.waiting = b.waiting[:rest]
			b.room.Signal() // to the one reader
			b.mu.Unlock()
			if rest > 0 {
				b.Signal()
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
