package feed

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"
)

// carrier connects a route's loop with the handler that a Watermill router
// runs: each turn of the loop travels as one message, so that middleware wraps
// the work on a batch and sees its error.
type carrier struct {
	messages chan *message.Message
}

func newCarrier() *carrier { return &carrier{messages: make(chan *message.Message)} }

// Subscribe hands the carrier's channel to the router.
func (c *carrier) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return c.messages, nil
}

// Close is a no-op: the route's loop closes the channel when it ends.
func (c *carrier) Close() error { return nil }

type turnKey struct{}

var errNotHandled = errors.New("a middleware ended the batch before it was handled")

// carry sends a turn through the router and waits until its handler is done.
func (c *carrier) carry(ctx context.Context, t *turn) {
	m := message.NewMessage("", nil)
	m.SetContext(context.WithValue(ctx, turnKey{}, t))
	t.err = errNotHandled
	c.messages <- m
	select {
	case <-m.Acked():
	case <-m.Nacked():
	}
}

// handleTurn is the handler of every route. A middleware may call it again: it
// goes on with what is not done yet.
func handleTurn(m *message.Message) error {
	t, ok := m.Context().Value(turnKey{}).(*turn)
	if !ok {
		return errors.New("a message without a batch reached a route's handler")
	}
	t.err = t.run(m.Context())
	return t.err
}
