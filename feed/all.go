package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
)

// All returns a sink that publishes every message to all of the given sinks.
// A message counts as delivered when every sink has it. A retry goes only to
// the sinks that lack it, as long as the route holds the message; after it was
// given back, sinks that had it get it again. A permanent failure of one sink
// is reported when all others have the message, so that the quarantine never
// takes it from them.
//
// The sinks are [BatchPublisher]s; All panics with more than 64 of them, or
// with none: both are mistakes of the program.
func All(sinks ...message.Publisher) message.Publisher {
	var flat []message.Publisher
	for _, s := range sinks {
		flat = append(flat, sinksOf(s)...)
	}
	if len(flat) == 0 || len(flat) > 64 {
		panic(fmt.Sprintf("feed.All: %d sinks; it takes 1 to 64", len(flat)))
	}
	return &all{sinks: flat}
}

type all struct{ sinks []message.Publisher }

// sinksOf returns the sinks behind a sink.
func sinksOf(s message.Publisher) []message.Publisher {
	a, ok := s.(*all)
	if !ok {
		return []message.Publisher{s}
	}
	var sinks []message.Publisher
	for _, s := range a.sinks {
		sinks = append(sinks, sinksOf(s)...)
	}
	return sinks
}

// PublishBatch publishes to all sinks at the same time.
func (a *all) PublishBatch(ctx context.Context, b *Batch) error {
	if b.reached == nil {
		b.reached = make([]uint64, len(b.Messages))
	}
	results := make([]map[int]error, len(a.sinks))
	var wg sync.WaitGroup
	for i, sink := range a.sinks {
		missing, index := lacking(b, i)
		if len(index) == 0 {
			continue
		}
		wg.Go(func() { results[i] = publishTo(ctx, sink, missing, index) })
	}
	wg.Wait()

	failed := &BatchError{}
	for i := range b.Messages {
		var transient, permanent []error
		for s := range a.sinks {
			switch err := results[s][i]; {
			case err == nil:
				b.reached[i] |= 1 << s
			case IsPermanent(err):
				permanent = append(permanent, err)
			default:
				transient = append(transient, err)
			}
		}
		switch {
		case len(transient) > 0:
			failed.Add(i, joinTransient(transient))
		case len(permanent) > 0:
			failed.Add(i, together(permanent))
		}
	}
	return failed.ErrorOrNil()
}

// lacking returns the messages that sink s does not have yet, and their places
// in b.
func lacking(b *Batch, s int) (*Batch, []int) {
	sub := &Batch{Received: b.Received}
	var index []int
	for i, m := range b.Messages {
		if b.reached[i]&(1<<s) == 0 {
			sub.Messages = append(sub.Messages, m)
			index = append(index, i)
		}
	}
	if b.placed != nil {
		sub.placed = func(i int, at Place) { b.placed(index[i], at) }
	}
	return sub, index
}

// publishTo returns the errors of one sink by the message's place in the whole
// batch.
func publishTo(ctx context.Context, sink message.Publisher, b *Batch, index []int) map[int]error {
	errs := map[int]error{}
	failed, unknown := failuresOf(publishBatch(ctx, sink, b), len(index))
	for _, f := range failed {
		errs[index[f.Index]] = f.Err
	}
	if unknown != nil {
		for _, i := range index {
			errs[i] = unknown
		}
	}
	return errs
}

// joinTransient joins the errors of sinks that lack a message. While one of
// them may still take it, the message must not be condemned for having ended
// the connections of the others.
func joinTransient(errs []error) error {
	all := together(errs)
	others := slices.DeleteFunc(slices.Clone(errs), IsConnectionFatal)
	if len(others) == 0 {
		return all
	}
	return &partlyFatal{text: all.Error(), others: others}
}

// partlyFatal are the errors of several sinks, some of which may still take the
// message: it wraps only theirs.
type partlyFatal struct {
	text   string
	others []error
}

func (e *partlyFatal) Error() string   { return e.text }
func (e *partlyFatal) Unwrap() []error { return e.others }

// sinkErrors are the errors of several sinks, on one line: the status and the
// quarantine show the first line of a reason, which is to name all of them.
type sinkErrors []error

func (e sinkErrors) Error() string {
	texts := make([]string, len(e))
	for i, err := range e {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

func (e sinkErrors) Unwrap() []error { return e }

// together returns one error of those of sinks that are not nil, and nil of none.
func together(errs []error) error {
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return sinkErrors(errs)
}

// Publish publishes to all sinks; it is here to make All a Publisher.
func (a *all) Publish(topic string, msgs ...*message.Message) error {
	for _, m := range msgs {
		SetTopic(m, topic)
	}
	return a.PublishBatch(context.Background(), NewBatch(msgs...))
}

// Probe succeeds when all sinks do.
func (a *all) Probe(ctx context.Context) error {
	var errs []error
	for _, s := range a.sinks {
		if p, ok := s.(Prober); ok {
			errs = append(errs, p.Probe(ctx))
		}
	}
	return together(errs)
}

// Durable reports whether all sinks are.
func (a *all) Durable() bool {
	for _, s := range a.sinks {
		if d, ok := s.(Durability); ok && !d.Durable() {
			return false
		}
	}
	return true
}

// Close closes all sinks.
func (a *all) Close() error {
	var errs []error
	for _, s := range a.sinks {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
