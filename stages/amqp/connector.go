package amqp

import (
	"context"
	"errors"
	"sync"
)

// errClosed is what a closed stage returns.
var errClosed = errors.New("closed")

// connector owns at most one link and opens the next one when it is gone.
type connector struct {
	dial dialer
	turn chan struct{} // holds a token while nobody dials

	ctx    context.Context // ends with close
	cancel context.CancelFunc

	mu   sync.Mutex
	link link
}

func newConnector(dial dialer) *connector {
	c := &connector{dial: dial, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// get returns the live link, or opens one. One caller dials, the others wait.
func (c *connector) get(ctx context.Context) (link, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(c.ctx, cancel)
	defer stop()

	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, c.ended(ctx.Err())
	}
	if err := errors.Join(c.ctx.Err(), ctx.Err()); err != nil {
		return nil, c.ended(err)
	}
	old := c.current()
	if old != nil {
		if old.Alive() {
			return old, nil
		}
		_ = old.Close() // waits for what is left of it; nobody needs it any more
	}
	l, err := c.dial(ctx)
	if err != nil {
		return nil, c.ended(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.link = l
	return l, nil
}

// ended prefers to say that the stage was closed.
func (c *connector) ended(err error) error {
	if c.ctx.Err() != nil {
		return errClosed
	}
	return err
}

func (c *connector) current() link {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link
}

// close ends the link and refuses new ones. Idempotent.
func (c *connector) close() error {
	c.cancel()
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	l := c.current()
	if l == nil {
		return nil
	}
	c.mu.Lock()
	c.link = nil
	c.mu.Unlock()
	return l.Close()
}
