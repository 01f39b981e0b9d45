package mqtt

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"syscall"
	"time"
)

// backoff is a growing pause: it doubles from first to limit, and each is cut
// by up to a half at random, so that two clients do not keep step.
type backoff struct {
	first, limit time.Duration
	next         time.Duration
}

func (b *backoff) reset() { b.next = 0 }

// take returns the next pause.
func (b *backoff) take() time.Duration {
	d := max(b.next, b.first)
	b.next = min(2*d, b.limit)
	return d/2 + rand.N(d/2+1)
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	// takeoverPause and takeoverLimit are the least and the longest pause after
	// another client took the session over. Two of them that came back at once
	// would take it from each other without end, and each time everything
	// unsettled would be sent again.
	takeoverPause = 2 * time.Second
	takeoverLimit = 5 * time.Minute
)

// shortLife is how long a connection lives at most to have been closed soon.
const shortLife = 10 * time.Second

// hungUp reports whether a connection ended because the peer has closed it, in
// whatever way that showed: with unread bytes it resets the connection, and a
// broker that ends TLS without a word ends it in the middle.
func hungUp(err error) bool {
	return errors.Is(err, errClosedByPeer) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// sessionTakenOver is the reason code of a DISCONNECT.
const sessionTakenOver = 0x8E

// takenOver reports whether a connection ended because another client came with
// the same client identifier.
func takenOver(err error) bool {
	var r *ReasonError
	return errors.As(err, &r) && r.Packet == "DISCONNECT" && r.Code == sessionTakenOver
}
