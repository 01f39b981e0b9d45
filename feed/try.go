package feed

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Try puts one message through, whichever form the transform has. A panic of it
// becomes a [Permanent] error: the message would come again and again.
func (t Transform) Try(ctx context.Context, m *message.Message) ([]*message.Message, error) {
	if t.Batch == nil {
		return t.one(m)
	}
	made := t.TryBatch(ctx, []*message.Message{m})[0]
	return made.Messages, made.Err
}

func (t Transform) one(m *message.Message) (out []*message.Message, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Permanent(Recovered("transform", r))
		}
	}()
	return t.Func(m)
}

// TryBatch calls Batch, which must be set, and sees to it that what it returns
// stands for the messages: all of them, or those before a transient error, which is
// the last. When it panics, the messages come again one at a time, and the one that
// it panics at fails for good.
func (t Transform) TryBatch(ctx context.Context, msgs []*message.Message) []Made {
	all, panicked := t.batch(ctx, msgs)
	if panicked != nil {
		if len(msgs) == 1 {
			return []Made{{Err: Permanent(panicked)}}
		}
		for i := range msgs {
			made := t.TryBatch(ctx, msgs[i:i+1])[0]
			if all = append(all, made); IsTransient(made.Err) {
				break
			}
		}
		return all
	}
	for i, m := range all {
		if IsTransient(m.Err) && i < len(msgs) {
			return all[:i+1]
		}
	}
	if len(all) != len(msgs) {
		return []Made{{Err: fmt.Errorf("it returned %d results for %d messages", len(all), len(msgs))}} // nothing is known
	}
	return all
}

func (t Transform) batch(ctx context.Context, msgs []*message.Message) (all []Made, panicked error) {
	defer func() {
		if r := recover(); r != nil {
			all, panicked = nil, Recovered("transform", r)
		}
	}()
	return t.Batch(ctx, msgs), nil
}
