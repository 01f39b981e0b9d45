package amqp

import (
	"context"
	"math"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// inbox is where deliveries wait for Receive, which takes all that has
// arrived. When they are larger than what it may hold, it lets the connection's
// reader wait: what then comes stays in the socket, and in the broker.
type inbox struct {
	wake  chan struct{} // holds one token when there is something to see
	rests bool          // what comes here may gather in the socket for a while

	mu      sync.Mutex
	room    sync.Cond // signalled when bytes shrinks, and at the end
	waiting []*delivery
	bytes   feed.Size // of what waits
	limit   feed.Size // of bytes; one delivery may exceed it
	ended   error
}

func newInbox(limit feed.Size) *inbox {
	b := &inbox{wake: make(chan struct{}, 1), limit: limit}
	b.room.L = &b.mu
	return b
}

// unbound has the reader never wait again: the connection is about to end, and
// what it still has to say lies behind the deliveries.
func (b *inbox) unbound() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = math.MaxInt64
	b.room.Broadcast()
}

// signalEvery is after how many deliveries Receive learns of them although the
// reader has more at hand.
const signalEvery = 64

// put appends a delivery, which is the inbox's from then on. Whoever puts calls
// signal after the last one at hand: Receive, woken by the first, would take
// just that. It blocks while there is no room, but not beyond the inbox's end,
// and calls announce before, so that no inbox waits for this one.
func (b *inbox) put(d *delivery, announce func()) {
	size := d.size()
	b.mu.Lock()
	defer b.mu.Unlock()
	blocked := false
	for len(b.waiting) > 0 && b.bytes > b.limit-size {
		if !blocked {
			blocked = true
			announce()
		}
		b.room.Wait()
	}
	if b.ended != nil {
		return
	}
	b.waiting = append(b.waiting, d)
	b.bytes += size
	if blocked || len(b.waiting)%signalEvery == 0 {
		b.signal()
	}
}

// end makes every further take fail with err. What waits, and what still
// comes, is dropped: it could no longer be settled, and will come again.
func (b *inbox) end(err error) {
	b.mu.Lock()
	if b.ended == nil {
		b.ended = err
	}
	b.waiting, b.bytes = nil, 0
	b.room.Broadcast()
	b.mu.Unlock()
	b.signal()
}

// signal has Receive look at what is there.
func (b *inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// await blocks until there is something to take. It may be called when nobody
// takes.
func (b *inbox) await(ctx context.Context) error {
	for {
		b.mu.Lock()
		err, some := b.ended, len(b.waiting) > 0
		b.mu.Unlock()
		if err != nil || some {
			b.signal() // for who takes
			return err
		}
		select {
		case <-b.wake:
		case <-ctx.Done():
			return ctx.Err()
		}
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
