package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"
)

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

// begin is for a delivery that no transform has seen. It keeps the memory of the
// one before.
func (s *steps) begin(e *entry) {
	*s = steps{of: e, in: append(s.in[:0], e.msg), out: s.out[:0]}
}

// next goes on to the next transform with what this one has made.
func (s *steps) next() {
	clear(s.in) // retain no message beyond its turn
	s.in, s.out, s.done = s.out, s.in[:0], 0
	s.at++
}

// transform runs the transforms over the inbox, in order, until a batch is
// full; over all of it when the batch is to cover a range. It stops at the first
// transient failure: nothing may overtake it.
func (r *runner) transform(ctx context.Context) error {
	room := r.Batch.MaxMessages + r.park.count(r.queue) // what is parked takes no room
	for len(r.inbox) > 0 && (len(r.queue) < room || r.progress != nil) {
		if !r.batches {
			if err := r.transformEntry(r.inbox[0]); err != nil {
				return err
			}
			r.inbox = r.inbox[1:]
			continue
		}
		through, err := r.wave(ctx, room-len(r.queue))
		for i := range through {
			r.enqueue(r.inbox[i], r.abreast[i].in)
			r.abreast[i] = steps{}
		}
		r.inbox, r.abreast = r.inbox[through:], slices.Delete(r.abreast, 0, through)
		if err != nil {
			return err
		}
	}
	return nil
}

// transformEntry runs all transforms over one delivery. A returned error is
// transient.
func (r *runner) transformEntry(e *entry) error {
	s := &r.steps
	if s.of != e {
		s.begin(e)
	}
	if err := r.advance(s, len(r.Transforms)); err != nil {
		return err
	}
	r.enqueue(e, s.in)
	clear(s.in)
	s.of = nil
	return nil
}

// advance runs the transforms before end, which take one message at a time, over
// one delivery. A returned error is transient.
func (r *runner) advance(s *steps, end int) error {
	for s.at < end {
		for ; s.done < len(s.in); s.done++ {
			made, err := r.Transforms[s.at].one(s.in[s.done])
			if err := r.made(s, made, err); err != nil {
				return err
			}
		}
		s.next()
	}
	return nil
}

// made notes what a transform has made of the message that it was to do next.
// It returns the error when that is to be tried again.
func (r *runner) made(s *steps, out []*message.Message, err error) error {
	got := s.in[s.done]
	if err != nil || len(out) == 0 {
		return r.transformFailed(s, got, err)
	}
	r.remember(s.of, s.at, got)
	s.out = append(s.out, out...)
	return nil
}

// transformFailed deals with a message of which a transform made nothing. It
// returns the error when that is to be tried again.
func (r *runner) transformFailed(s *steps, m *message.Message, err error) error {
	if reason, ok := FilterReason(err); ok {
		r.remember(s.of, s.at, m)
		r.filter(s.of, m, reason)
		return nil
	}
	if err == nil {
		err = Permanent(errors.New("it yielded no message and no reason: return feed.Filter(reason) to drop one"))
	}
	stage := r.Transforms[s.at].Name
	r.logPanic(stage, err)
	err = fmt.Errorf("transform %s: %w", stage, err)
	if !IsPermanent(err) {
		return err
	}
	r.condemn(r.produce(s.of, m), stage, err)
	return nil
}

// wave takes deliveries of the inbox through the transforms side by side, so
// that one that takes batches gets many messages at once: as many deliveries as
// make about room messages, wherever on their way they become many. It returns how
// many of them are through, and the transient failure that kept the next one.
func (r *runner) wave(ctx context.Context, room int) (through int, failed error) {
	through = len(r.inbox)
	for at := 0; at < len(r.Transforms); {
		var err error
		if r.Transforms[at].Batch != nil {
			through, err = r.waveBatch(ctx, at, through)
			at++
		} else {
			end := at + 1
			for end < len(r.Transforms) && r.Transforms[end].Batch == nil {
				end++
			}
			through, err = r.waveSingly(end, through, room)
			at = end
		}
		if err != nil {
			failed = err // of an earlier delivery than a failure before it
		}
	}
	return through, failed
}

// alongside returns the steps of the delivery at i of the inbox.
func (r *runner) alongside(i int) *steps {
	if i == len(r.abreast) {
		r.abreast = append(r.abreast, steps{})
		r.abreast[i].begin(r.inbox[i])
	}
	return &r.abreast[i]
}

// waveSingly runs the transforms before end, which take one message at a time,
// over the first deliveries, and returns how many of them have got there.
func (r *runner) waveSingly(end, deliveries, room int) (int, error) {
	waiting := 0
	for i := range deliveries {
		s := r.alongside(i)
		if err := r.advance(s, end); err != nil {
			return i, err
		}
		if s.at == end {
			waiting += len(s.in)
		}
		if waiting >= room && r.progress == nil {
			return i + 1, nil
		}
	}
	return deliveries, nil
}

// waveBatch runs a transform that takes batches over the first deliveries, and
// returns how many of them are through it.
func (r *runner) waveBatch(ctx context.Context, at, deliveries int) (int, error) {
	var msgs []*message.Message
	for i := range deliveries {
		if s := r.alongside(i); s.at == at {
			msgs = append(msgs, s.in[s.done:]...)
		}
	}
	var all []Made
	if len(msgs) > 0 { // not all of them were dropped before
		all = r.Transforms[at].TryBatch(ctx, msgs)
	}
	for i := range deliveries {
		s := &r.abreast[i]
		if s.at != at {
			continue
		}
		for ; s.done < len(s.in); s.done++ {
			if err := r.made(s, all[0].Messages, all[0].Err); err != nil {
				return i, err
			}
			all = all[1:]
		}
		s.next()
	}
	return deliveries, nil
}
