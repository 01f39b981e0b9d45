package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// turn is one pass of a batch through transforms and sink.
type turn struct {
	r   *runner
	err error // transient: why the turn did not get all of its work done
}

// run transforms what waits for it and publishes what is due. It returns an
// error when something is to be tried again.
func (t *turn) run(ctx context.Context) error {
	transformErr := t.r.transform()
	if t.r.progress != nil {
		return errors.Join(transformErr, t.commit(ctx))
	}
	publishErr := t.publish(ctx, t.r.due())
	return errors.Join(transformErr, publishErr)
}

// publish sends a batch and notes what became of each message.
func (t *turn) publish(ctx context.Context, batch []*outgoing) error {
	if len(batch) == 0 {
		return nil
	}
	r := t.r
	b := &Batch{Messages: r.messages[:0], Received: batch[0].from.received}
	for i, o := range batch {
		b.Messages = append(b.Messages, o.msg)
		if o.reached != 0 {
			if b.reached == nil {
				b.reached = make([]uint64, len(batch))
			}
			b.reached[i] = o.reached
		}
	}
	r.wanted(b, batch)
	err := publishBatch(ctx, r.Sink, b)
	for i := range b.reached {
		batch[i].reached = b.reached[i]
	}
	r.messages = b.Messages
	clear(r.messages) // retain no message beyond its turn
	return r.published(batch, err)
}

// steps is how far the transforms have come with one delivery. It outlives a
// transient failure, so that no transform sees a message that it, or a later
// one, has already changed.
type steps struct {
	of   *entry
	at   int                // the transform
	in   []*message.Message // its messages
	done int                // how many of them it has finished
	out  []*message.Message // what it has made of those
}

// transform runs the transforms over the inbox, in order, until a batch is
// full; over all of it when the batch is to cover a range. It stops at the first transient failure: nothing may overtake it.
func (r *runner) transform() error {
	room := r.Batch.MaxMessages + r.park.count(r.queue) // what is parked takes no room
	for len(r.inbox) > 0 && (len(r.queue) < room || r.progress != nil) {
		if err := r.transformEntry(r.inbox[0]); err != nil {
			return err
		}
		r.inbox = r.inbox[1:]
	}
	return nil
}

// transformEntry runs all transforms over one delivery. A returned error is
// transient.
func (r *runner) transformEntry(e *entry) error {
	s := &r.steps
	if s.of != e {
		*s = steps{of: e, in: append(s.in[:0], e.msg), out: s.out[:0]}
	}
	for ; s.at < len(r.Transforms); s.at++ {
		for ; s.done < len(s.in); s.done++ {
			got := s.in[s.done]
			made, err := transformOne(r.Transforms[s.at], got)
			if err == nil && len(made) > 0 {
				r.remember(e, s.at, got)
				s.out = append(s.out, made...)
				continue
			}
			if err := r.transformFailed(e, got, r.Transforms[s.at].Name, err); err != nil {
				return err
			}
		}
		clear(s.in) // retain no message beyond its turn
		s.in, s.out, s.done = s.out, s.in[:0], 0
	}
	r.enqueue(e, s.in)
	clear(s.in)
	s.of = nil
	return nil
}

// transformFailed deals with a message of which a transform made nothing. It
// returns the error when that is to be tried again.
func (r *runner) transformFailed(e *entry, m *message.Message, stage string, err error) error {
	if reason, ok := FilterReason(err); ok {
		r.remember(e, r.steps.at, m)
		r.filter(e, m, reason)
		return nil
	}
	if err == nil {
		err = Permanent(errors.New("it yielded no message and no reason: return feed.Filter(reason) to drop one"))
	}
	err = fmt.Errorf("transform %s: %w", stage, err)
	if !IsPermanent(err) {
		return err
	}
	r.condemn(r.produce(e, m), stage, err)
	return nil
}
