package amqp

import (
	"context"
	"errors"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// errClosed is what a closed stage returns.
var errClosed = errors.New("closed")

// redialer owns at most one link, and dials the next one when that is gone.
type redialer struct {
	dial   dialer
	events *feed.EventCounts
	turn   chan struct{} // holds a token while nobody dials

	ctx    context.Context // ends with close
	cancel context.CancelFunc

	mu   sync.Mutex
	link link
}

func newRedialer(dial dialer, events *feed.EventCounts) *redialer {
	r := &redialer{dial: dial, events: events, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// get returns the live link, or opens one. One caller dials, the others wait.
func (r *redialer) get(ctx context.Context) (link, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(r.ctx, cancel)
	defer stop()

	select {
	case <-r.turn:
		defer func() { r.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, r.ended(ctx.Err())
	}
	if err := errors.Join(r.ctx.Err(), ctx.Err()); err != nil {
		return nil, r.ended(err)
	}
	old := r.current()
	if old != nil {
		if old.Alive() {
			return old, nil
		}
		r.lose(old)
	}
	l, err := r.dial(ctx)
	if err != nil {
		return nil, r.ended(err)
	}
	r.events.Add(eventConnected, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.link = l
	return l, nil
}

// lose gives up a link that has ended. The caller has the turn.
func (r *redialer) lose(old link) {
	_ = old.Close() // waits for what is left of it; nobody needs it any more
	r.events.Add(eventConnectionLost, 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.link = nil
}

// ended prefers to say that the stage was closed.
func (r *redialer) ended(err error) error {
	if r.ctx.Err() != nil {
		return errClosed
	}
	return err
}

func (r *redialer) current() link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link
}

// close ends the link and refuses new ones. Idempotent.
func (r *redialer) close() error {
	r.cancel()
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	l := r.current()
	if l == nil {
		return nil
	}
	r.mu.Lock()
	r.link = nil
	r.mu.Unlock()
	return l.Close()
}
