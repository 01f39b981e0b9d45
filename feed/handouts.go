package feed

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// HandOuts runs the plain subscriptions of a source, which makes one that hands
// out batches a plain Subscriber besides. Safe for concurrent use.
type HandOuts struct {
	closed   error
	lifetime context.Context // ends with Close
	end      context.CancelFunc

	mu    sync.Mutex // no Add once Close waits
	over  bool
	tasks sync.WaitGroup
}

// NewHandOuts returns the plain subscriptions of a source that refuses further
// ones with the given error when it has been closed.
func NewHandOuts(closed error) *HandOuts {
	h := &HandOuts{closed: closed}
	h.lifetime, h.end = context.WithCancel(context.Background())
	return h
}

// Subscribe opens a subscription, which it closes in the end, and passes its
// messages on one at a time: the next comes after the Ack of the one before, which
// is settled then; a Nack hands the same message out again, a little later each
// time. The channel is closed when ctx ends, Close is
// called, or the subscription ends. With report it is not closed for the latter:
// report is told why, and the subscription is opened anew until that succeeds, a
// little later each time.
func (h *HandOuts) Subscribe(ctx context.Context, open func(context.Context) (Subscription, error), report func(error)) (<-chan *message.Message, error) {
	h.mu.Lock()
	if h.over {
		h.mu.Unlock()
		return nil, h.closed
	}
	h.tasks.Add(1)
	h.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.lifetime, cancel)
	end := func() {
		stop()
		cancel()
		h.tasks.Done()
	}
	sub, err := open(ctx)
	if err != nil {
		end()
		return nil, err
	}
	out := make(chan *message.Message)
	go func() {
		defer end()
		defer close(out)
		for sub != nil {
			err := handOutOf(ctx, sub, out, report)
			sub = reopen(ctx, err, open, report)
		}
	}()
	return out, nil
}

// handOutOf passes on what a subscription hands out, and returns why it ended.
func handOutOf(ctx context.Context, sub Subscription, out chan<- *message.Message, report func(error)) error {
	err := handOutAll(ctx, sub, out)
	if closeErr := sub.Close(); closeErr != nil && report != nil {
		report(fmt.Errorf("close the subscription: %w", closeErr))
	}
	return err
}

// reopen opens the next subscription after one that has ended with err, or
// returns nil when there is to be none.
func reopen(ctx context.Context, err error, open func(context.Context) (Subscription, error), report func(error)) Subscription {
	pause := backoff{first: 100 * time.Millisecond, longest: 2 * time.Second}
	for report != nil && ctx.Err() == nil {
		report(err)
		if !sleep(ctx, pause.next()) {
			return nil
		}
		var sub Subscription
		if sub, err = open(ctx); err == nil {
			return sub
		}
	}
	return nil
}

// Close ends the subscriptions and waits for them. Idempotent.
func (h *HandOuts) Close() {
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	h.end()
	h.tasks.Wait()
}
