package remote

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Transform returns a transform of the plugin, which takes batches. It is opened
// when it gets the first one. The configuration is a JSON object.
func (p *Plugin) Transform(stage string, configuration []byte, env feed.StageEnv) feed.Transform {
	t := &transform{instance: p.instance(transformProtocol, stage, configuration, env), suspects: newSuspects()}
	return feed.Transform{Name: stage, Batch: t.batch, Settled: t.settled, Close: t.end, Probe: t.probe}
}

var transformProtocol = protocol{
	kind: feed.KindTransform,
	begin: func(ctx context.Context, c pluginpb.StagesClient, opts []grpc.CallOption) (grpc.ClientStream, error) {
		return c.Transform(ctx, opts...)
	},
	open: func(s grpc.ClientStream, o *pluginpb.Open) (*pluginpb.Opened, error) {
		if err := s.SendMsg(&pluginpb.TransformRequest{Request: &pluginpb.TransformRequest_Open{Open: o}}); err != nil {
			return nil, err
		}
		var r pluginpb.TransformResponse
		err := s.RecvMsg(&r)
		return r.GetOpened(), err
	},
}

// maxReasons bounds the different reasons for which a plugin filters: they become
// labels of metrics.
const (
	maxReasons    = 100
	maxReasonText = 100
	otherReasons  = "other reasons"
)

type transform struct {
	*instance
	suspects *suspects
	number   uint64
	response wire.TransformResponse
	reasons  map[string]error
	pending  pending
}

// probe implements the Probe of a [feed.Transform]: it looks for a process in which
// the transform is open.
func (t *transform) probe(ctx context.Context) error {
	leave, err := t.enter(ctx, false)
	if err != nil {
		return err
	}
	leave()
	return nil
}

// batch implements the Batch of a [feed.Transform].
func (t *transform) batch(ctx context.Context, msgs []*message.Message) []feed.Made {
	made := make([]feed.Made, 0, len(msgs))
	for len(made) < len(msgs) {
		before := len(made)
		var err error
		made, err = t.some(ctx, msgs[before:], made)
		if err != nil {
			return append(made, feed.Made{Err: err})
		}
		if n := len(made); n > before && feed.IsTransient(made[n-1].Err) {
			break
		}
	}
	return made
}

// some puts as many of the messages through as may go at once, and appends what was
// made of them: of none when the process died and they are to be tried again. The
// error is a transient one.
func (t *transform) some(ctx context.Context, msgs []*message.Message, made []feed.Made) ([]feed.Made, error) {
	n, suspect := t.suspects.isolated(msgs)
	t.number++
	frame := wire.NewBatch(t.number)
	n, refused := fill(frame, msgs[:n], wire.MaxBatch)
	if n == 0 {
		frame.Discard()
		return append(made, feed.Made{Err: feed.Permanent(fmt.Errorf("it cannot be sent to plugin %s: %w", t.plugin.name, refused))}), nil
	}
	leave, err := t.enter(ctx, suspect)
	if err != nil {
		frame.Discard()
		return made, stillTransient(err)
	}
	defer leave()
	before := len(made)
	made, err = t.exchange(ctx, frame, msgs[:n], suspect, made)
	var death *diedError
	switch {
	case errors.As(err, &death):
		left := msgs[len(made)-before : n]
		if condemned := t.suspects.died(t.suspects.keys(left...), suspect, death); condemned != nil {
			return append(made, feed.Made{Err: condemned}), nil
		}
		return made, nil
	case err != nil:
		return made, err
	}
	if t.call.opened.Settled {
		t.pending.add(t.call, t.number, msgs, made[before:])
	}
	return made, nil
}

// stillTransient keeps a plugin that cannot be opened from condemning messages.
func stillTransient(err error) error {
	if feed.IsPermanent(err) {
		return errors.New(err.Error())
	}
	return err
}

// fill appends messages to a batch as long as it is below max bytes, and returns
// how many. When it is none, the error says why the first one cannot be sent.
func fill(frame *wire.Frame, msgs []*message.Message, most int) (n int, refused error) {
	msgs = msgs[:min(len(msgs), wire.MaxCount)]
	entries := 0
	for i, m := range msgs {
		before := frame.Len()
		if err := frame.AddMessage(m); err != nil {
			return i, err
		}
		entries += len(m.Metadata)
		if i > 0 && (frame.Len() > most || entries > wire.MaxEntries) {
			frame.Truncate(before)
			return i, nil
		}
		if long := frame.Len(); long > wire.MaxSent {
			return 0, fmt.Errorf("it is %d bytes long, more than %d", long, wire.MaxSent)
		}
	}
	return len(msgs), nil
}

// exchange sends a batch and appends what was made of it: of the first messages only
// when there is an error.
func (t *transform) exchange(ctx context.Context, frame *wire.Frame, msgs []*message.Message, suspect bool, made []feed.Made) ([]feed.Made, error) {
	err := t.within(ctx, t.plugin.limits.Timeout, func() error {
		if err := t.call.send(frame); err != nil {
			return err
		}
		for more := true; more; more = t.response.More {
			if err := t.receive(len(msgs)); err != nil {
				return err
			}
			if suspect { // as it was sent: it is about to be changed
				t.suspects.passed(t.suspects.keyOf(msgs[0]))
			}
			same := slices.Clone(msgs[:len(t.response.Results)])
			msgs = msgs[len(same):]
			for i := range same {
				made = append(made, t.made(same[i:i+1:i+1], &t.response.Results[i]))
			}
		}
		return nil
	})
	return made, err
}

// receive receives what was made of the first of n messages.
func (t *transform) receive(n int) error {
	r := &t.response
	if err := t.call.RecvMsg(r); err != nil {
		return err
	}
	switch got := len(r.Results); {
	case !r.IsMade:
		return wrongf("not what was made of a batch")
	case r.Number != t.number:
		return wrongf("what was made of batch %d, when it was asked for batch %d", r.Number, t.number)
	case got > n:
		return wrongf("%d results for %d messages", got, n)
	case got == 0:
		return wrongf("no result for %d messages", n)
	case got == n && r.More:
		return wrongf("more results than messages")
	}
	for i := range r.Results {
		last := i == len(r.Results)-1 && !r.More
		if f := r.Results[i].Failure; !last && f != (wire.Failure{}) && !f.Permanent {
			return wrongf("a result behind message %d, which is to be tried again", i)
		}
	}
	return nil
}

// made is a result as the route takes it, of the one message that was sent.
func (t *transform) made(sent []*message.Message, r *wire.Result) feed.Made {
	switch {
	case r.IsChanged:
		r.Changed.Apply(sent[0])
		return feed.Made{Messages: sent}
	case r.Failure != wire.Failure{}:
		return feed.Made{Err: r.Failure.Err()}
	case r.Filtered != "":
		return feed.Made{Err: t.filtered(r.Filtered)}
	}
	for _, m := range r.Messages {
		m.SetContext(sent[0].Context()) // it takes the place of the message
	}
	return feed.Made{Messages: r.Messages} // none: the route says what that means
}

// filtered returns the error for a reason.
func (t *transform) filtered(reason string) error {
	if err, ok := t.reasons[reason]; ok {
		return err
	}
	if len(reason) > maxReasonText || len(t.reasons) >= maxReasons {
		return feed.Filter(otherReasons)
	}
	if t.reasons == nil {
		t.reasons = map[string]error{}
	}
	t.reasons[reason] = feed.Filter(reason)
	return t.reasons[reason]
}
