package feed

import (
	"context"
	"errors"
)

// turn is one pass of a batch through transforms and sink.
type turn struct {
	r   *runner
	err error // transient: why the turn did not get all of its work done
}

// run transforms what waits for it and publishes what is due. It returns an
// error when something is to be tried again.
func (t *turn) run(ctx context.Context) error {
	transformErr := t.r.transform(ctx)
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
	err := r.publish(ctx, b, batch)
	for i := range b.reached {
		batch[i].reached = b.reached[i]
	}
	r.messages = b.Messages
	clear(r.messages) // retain no message beyond its turn
	return r.published(batch, err)
}
