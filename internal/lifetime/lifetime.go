// Package lifetime ends what uses a thing when the thing is closed, and has closing
// wait for it.
package lifetime

import (
	"context"
	"sync"
)

// Lifetime is that of a thing, from [New] to Close. It is for concurrent use.
type Lifetime struct {
	closed error // what ends the uses
	ctx    context.Context
	end    context.CancelCauseFunc

	mu   sync.Mutex // no use begins while the lifetime ends
	uses sync.WaitGroup
}

// New begins a lifetime; closed is the error of uses after its end.
func New(closed error) *Lifetime {
	l := &Lifetime{closed: closed}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	return l
}

// Begin begins a use. It returns a context that ends with the lifetime, too, and
// then has the error given to [New] as its cause, and the function that ends the
// use, which is to be called. After Close it returns that error.
func (l *Lifetime) Begin(ctx context.Context) (context.Context, func(), error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, nil, l.closed
	}
	l.uses.Add(1)
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(l.closed) })
	return ctx, func() {
		stop()
		cancel(nil)
		l.uses.Done()
	}, nil
}

// Close ends the lifetime: it ends the contexts of all uses, and blocks until the
// uses have ended, so that none of them may call it. Idempotent.
func (l *Lifetime) Close() {
	l.mu.Lock()
	l.end(l.closed)
	l.mu.Unlock()
	l.uses.Wait()
}
