package plugins

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Transform implements the protocol.
func (s *Server) Transform(stream grpc.BidiStreamingServer[pluginpb.TransformRequest, pluginpb.TransformResponse]) error {
	var request wire.TransformRequest
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	first := request.Other.GetOpen()
	if first == nil {
		return errNotOpened
	}
	t, log, err := open(s, feed.KindTransform, first, feed.Factory.Transform)
	answer := opened(err)
	answer.Settled = err == nil && t.Settled != nil
	sendErr := stream.Send(&pluginpb.TransformResponse{Response: &pluginpb.TransformResponse_Opened{Opened: answer}})
	if err != nil {
		return sendErr
	}
	x := &transforming{Transform: t, log: log, unsettled: map[uint64]*unsettledBatch{}}
	if t.Close != nil {
		defer release(log, closer(t.Close))
	}
	for sendErr == nil {
		if err := stream.RecvMsg(&request); err != nil {
			return ended(err)
		}
		settled := request.Other.GetSettled()
		switch {
		case request.IsBatch:
			sendErr = x.batch(stream.Context(), &request.Batch, stream.SendMsg)
		case settled != nil:
			x.settle(settled.Messages)
		default:
			return unknownRequest(request.Other.GetRequest())
		}
	}
	return sendErr
}

type closer func() error

func (c closer) Close() error { return c() }

// transforming is an instance of a transform.
type transforming struct {
	feed.Transform
	log       *slog.Logger
	frame     *wire.Frame                // of the answer that is being put together
	count     int                        // of its messages, and of results without any
	unsettled map[uint64]*unsettledBatch // by number; empty when the transform has no Settled
}

// unsettledBatch is what a transform was given in a batch and wants to know the
// end of.
type unsettledBatch struct {
	messages []*message.Message // nil where there is nothing to tell
	left     int
}

// batch runs the transform over messages and sends what it has made. It stops behind
// a transient failure, and before the answer becomes long; what was made of a whole
// batch at once is sent in several answers instead.
func (x *transforming) batch(ctx context.Context, b *wire.Batch, send func(any) error) error {
	x.frame, x.count = wire.NewMade(b.Number), 0
	if x.Batch == nil {
		for i, m := range b.Messages {
			made, err := x.Try(ctx, m)
			if !x.answer(b, i, made, err) || x.full() {
				break
			}
		}
		return send(x.frame)
	}
	for i, made := range x.TryBatch(ctx, b.Messages) {
		if x.full() {
			x.frame.More()
			if err := send(x.frame); err != nil {
				return err
			}
			x.frame, x.count = wire.NewMade(b.Number), 0
		}
		if !x.answer(b, i, made.Messages, made.Err) {
			break
		}
	}
	return send(x.frame)
}

// full reports whether nothing more belongs into an answer.
func (x *transforming) full() bool {
	return x.frame.Len() >= wire.MaxBatch || x.count >= wire.MaxCount
}

// answer appends what was made of a message, and reports whether the next one may
// follow.
func (x *transforming) answer(b *wire.Batch, i int, made []*message.Message, err error) bool {
	x.count += max(1, len(made))
	reason, filtered := feed.FilterReason(err)
	switch {
	case filtered:
		x.frame.AddFiltered(reason)
	case err != nil:
		tellPanic(x.log, err)
		x.frame.AddFailed(wire.FailureOf(err))
		return feed.IsPermanent(err)
	default:
		if err := x.add(b, i, made); err != nil {
			x.frame.AddFailed(wire.FailureOf(feed.Permanent(err)))
			return true
		}
		if len(made) == 0 {
			return true
		}
	}
	x.remember(b, i)
	return true
}

// add appends messages that were made of one. The error says why they cannot be sent.
func (x *transforming) add(b *wire.Batch, i int, made []*message.Message) error {
	if len(made) > 1 {
		if err := sendable(made); err != nil {
			return err
		}
	}
	before := x.frame.Len()
	if err := x.frame.AddMade(b, i, made); err != nil {
		return fmt.Errorf("it made a message that cannot be sent: %w", err)
	}
	if long := x.frame.Len() - before; long > wire.MaxMade {
		x.frame.Truncate(before)
		return fmt.Errorf("what it made of the message is %d bytes long, more than %d", long, wire.MaxMade)
	}
	return nil
}

// sendable says why messages that were made of one are too many for an answer.
func sendable(made []*message.Message) error {
	if len(made) > wire.MaxCount {
		return fmt.Errorf("it made %d messages of one, more than %d", len(made), wire.MaxCount)
	}
	entries := 0
	for _, m := range made {
		if m != nil {
			entries += len(m.Metadata)
		}
	}
	if entries > wire.MaxMadeEntries {
		return fmt.Errorf("what it made of the message has %d metadata entries, more than %d", entries, wire.MaxMadeEntries)
	}
	return nil
}

// remember keeps a message for the time when it has ended.
func (x *transforming) remember(b *wire.Batch, i int) {
	if x.Settled == nil {
		return
	}
	u := x.unsettled[b.Number]
	if u == nil {
		u = &unsettledBatch{messages: make([]*message.Message, len(b.Messages))}
		x.unsettled[b.Number] = u
	}
	u.messages[i] = b.Messages[i]
	u.left++
}

// settle tells the transform how messages have ended.
func (x *transforming) settle(messages []*pluginpb.SettledMessage) {
	var ended []feed.Settled
	for _, s := range messages {
		u := x.unsettled[s.Batch]
		if u == nil || int(s.Index) >= len(u.messages) || u.messages[s.Index] == nil {
			continue
		}
		if s.Outcome != pluginpb.Outcome_OUTCOME_RETURNED {
			ended = append(ended, feed.Settled{Message: u.messages[s.Index], Outcome: feed.Outcome(s.Outcome)})
		}
		u.messages[s.Index] = nil
		if u.left--; u.left == 0 {
			delete(x.unsettled, s.Batch)
		}
	}
	if len(ended) == 0 {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			x.log.Error("a transform panicked when it was told what is settled", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	x.Settled(ended)
}
