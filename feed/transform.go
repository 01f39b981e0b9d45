package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Transform is a named step of a route. Func returns the messages that take
// the place of the one it gets, in order; it may change that message (but not
// write into its payload bytes) and return it. [Filter] drops the message
// with a counted reason; a [Permanent] error sends it to the quarantine; any
// other error is transient: the route holds the source back and tries again.
// To return neither a message nor an error is a permanent error. A Func that
// fails transiently must leave its message as it was: it gets it again.
// Func is called by one goroutine at a time.
//
// Batch takes the place of Func where a call costs more than what it does for a
// message, such as one of another process: exactly one of the two is set. It gets
// messages of any number of deliveries, in order, at least one, and returns what
// it made of each, in order, as Func would. A transient error ends what it
// returns: from that message on nothing has happened, and they come again.
//
// The rest is optional. Settled is told of messages that it got, and made
// something of or filtered, once all that was made of the same delivery has
// ended and the source has taken that for settled: from then on they come again
// only if somebody sends them again, or when the source's connection is lost
// before its broker was told. It must not block for long, and what it
// cannot do is lost to nobody but the transform. It is never called at the same
// time as Func or Batch. Close releases what the transform holds; it is called
// once, after their last call. Events counts as an [EventCounter] does. Probe tells
// whether the transform could do its work now, as a [Prober] does, and is asked when
// its sink is, but for as long as it takes; never at the same time as Func, Batch or
// Settled. Without it a route whose transform cannot work for long takes deliveries
// again and again to find out.
type Transform struct {
	Name    string
	Func    message.HandlerFunc
	Batch   func(context.Context, []*message.Message) []Made
	Settled func([]Settled)
	Close   func() error
	Events  func() map[string]uint64
	Probe   func(context.Context) error
}

// Made is what a transform made of a message: messages or an error.
type Made struct {
	Messages []*message.Message
	Err      error
}

// Settled is a message that has ended.
type Settled struct {
	Message *message.Message // what Func or Batch got, with what it and later transforms have changed
	Outcome Outcome          // of the delivery that it is of: the worst of what was made of it
}

// seen is a message that a transform with Settled has got.
type seen struct {
	transform int
	msg       *message.Message
}

// remember notes that a transform has got a message of a delivery, if it wants
// to know how that ends.
func (r *runner) remember(e *entry, transform int, m *message.Message) {
	if r.Transforms[transform].Settled != nil {
		e.seen = append(e.seen, seen{transform, m})
	}
}

// tellTransforms tells transforms about deliveries that are settled.
func (r *runner) tellTransforms() {
	for i, t := range r.Transforms {
		if t.Settled == nil {
			continue
		}
		var ended []Settled
		for _, e := range r.window {
			if !e.ended() {
				continue
			}
			for _, s := range e.seen {
				if s.transform == i {
					ended = append(ended, Settled{s.msg, e.outcome})
				}
			}
		}
		if len(ended) > 0 {
			r.tell(t, ended)
		}
	}
}

// tell calls a transform's Settled. The messages have ended, whatever it does.
func (r *runner) tell(t Transform, ended []Settled) {
	defer func() {
		if p := recover(); p != nil {
			r.logPanic(t.Name, Recovered("transform, when it was told what is settled,", p))
		}
	}()
	t.Settled(ended)
}

// closeTransforms closes the transforms of a route.
func (r Route) closeTransforms() error {
	var errs []error
	for _, t := range r.Transforms {
		if t.Close == nil {
			continue
		}
		if err := t.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close transform %s of route %s: %w", t.Name, r.Name, err))
		}
	}
	return errors.Join(errs...)
}
