package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Sink is a sink of a plugin: a [feed.BatchPublisher] and a [feed.Prober]. Its
// methods are called one at a time, as a route does.
type Sink struct {
	notDurable bool

	mu       sync.Mutex
	instance *instance
	suspects *suspects
	number   uint64
	closed   bool
}

var (
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Prober         = (*Sink)(nil)
	_ feed.Durability     = (*Sink)(nil)
)

// Sink returns a sink of the plugin. It is opened when it gets the first batch, or is
// probed. The configuration is a JSON object; durable is what the plugin said of
// it when it validated it.
func (p *Plugin) Sink(stage string, configuration []byte, env feed.StageEnv, durable bool) *Sink {
	return &Sink{notDurable: !durable, instance: p.instance(sinkProtocol, stage, configuration, env), suspects: newSuspects()}
}

var sinkProtocol = protocol{
	kind: feed.KindSink,
	begin: func(ctx context.Context, c pluginpb.StagesClient, opts []grpc.CallOption) (grpc.ClientStream, error) {
		return c.Sink(ctx, opts...)
	},
	open: func(s grpc.ClientStream, o *pluginpb.Open) (*pluginpb.Opened, error) {
		if err := s.SendMsg(&pluginpb.SinkRequest{Request: &pluginpb.SinkRequest_Open{Open: o}}); err != nil {
			return nil, err
		}
		var r pluginpb.SinkResponse
		err := s.RecvMsg(&r)
		return r.GetOpened(), err
	},
}

var errSinkClosed = errors.New("the sink is closed")

// Durable implements [feed.Durability].
func (s *Sink) Durable() bool { return !s.notDurable }

// Publish implements [message.Publisher].
func (s *Sink) Publish(topic string, msgs ...*message.Message) error {
	for _, m := range msgs {
		feed.SetTopic(m, topic)
	}
	return s.PublishBatch(context.Background(), feed.NewBatch(msgs...))
}

// PublishBatch implements [feed.BatchPublisher]. A batch is sent as a whole when it
// fits into a message of the protocol and nothing in it is suspected of having
// killed the plugin. When the process dies, what was in flight may be written twice.
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errSinkClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	failed := &feed.BatchError{}
	for done := 0; done < len(b.Messages); {
		n, err := s.part(ctx, b, done, failed)
		if err != nil && done == 0 && len(failed.Failures) == 0 {
			return stillTransient(err)
		}
		if err != nil { // nothing behind it may overtake it
			for i := done; i < len(b.Messages); i++ {
				failed.Add(i, stillTransient(err))
			}
			break
		}
		done += n
	}
	return failed.ErrorOrNil()
}

// part publishes as many of the messages from done on as may go at once, and
// returns how many: none when the process died and they are to be tried again. The
// error says that it is not known what became of them.
func (s *Sink) part(ctx context.Context, b *feed.Batch, done int, failed *feed.BatchError) (int, error) {
	i := s.instance
	rest := b.Messages[done:]
	n, suspect := s.suspects.isolated(rest)
	s.number++
	frame := wire.NewBatch(s.number)
	n, refused := fill(frame, rest[:n], wire.MaxSent)
	if n == 0 {
		frame.Discard()
		failed.Add(done, feed.Permanent(fmt.Errorf("it cannot be sent to plugin %s: %w", i.plugin.name, refused)))
		return 1, nil
	}
	received := b.Received.UnixNano()
	if n < len(b.Messages) { // a part is a batch of its own
		received += int64(done) + 1
	}
	frame.Received(received)
	leave, err := i.enter(ctx, suspect)
	if err != nil {
		frame.Discard()
		return 0, err
	}
	defer leave()
	answer, err := s.ask(ctx, frame, func(r *pluginpb.SinkResponse) error { return checkPublished(r, s.number, n) })
	var death *diedError
	switch {
	case errors.As(err, &death):
		if condemned := s.suspects.died(s.suspects.keys(rest[:n]...), suspect, death); condemned != nil {
			failed.Add(done, condemned)
			return 1, nil
		}
		return 0, nil
	case err != nil:
		return 0, err
	}
	if suspect {
		s.suspects.passed(s.suspects.keyOf(rest[0]))
	}
	published := answer.GetPublished()
	if published.Unknown != nil {
		return 0, wire.FailureFrom(published.Unknown).Err()
	}
	var later error
	for _, f := range published.Failures {
		err := wire.FailureFrom(f.Failure).Err()
		failed.Add(done+int(f.Index), err)
		if !feed.IsPermanent(err) {
			later = err
		}
	}
	if later != nil {
		for i := done + n; i < len(b.Messages); i++ {
			failed.Add(i, fmt.Errorf("a message before it was not taken: %w", later))
		}
		n = len(rest)
	}
	return n, nil
}

func checkPublished(r *pluginpb.SinkResponse, number uint64, n int) error {
	p := r.GetPublished()
	if p == nil {
		return wrongf("not what became of a batch")
	}
	if p.Number != number {
		return wrongf("what became of batch %d, when it was asked to publish batch %d", p.Number, number)
	}
	next := uint32(0)
	for _, f := range p.Failures {
		if f.Index < next || int64(f.Index) >= int64(n) {
			return wrongf("a failure of message %d of %d behind one of %d", f.Index, n, int64(next)-1)
		}
		if f.Failure == nil {
			return wrongf("a failure of message %d without a reason", f.Index)
		}
		next = f.Index + 1
	}
	return nil
}

// Probe implements [feed.Prober]. A sink that cannot be probed would take messages.
func (s *Sink) Probe(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errSinkClosed
	}
	i := s.instance
	leave, err := i.enter(ctx, false)
	if err != nil {
		return err
	}
	defer leave()
	if !i.call.opened.Probe {
		return nil
	}
	request := &pluginpb.SinkRequest{Request: &pluginpb.SinkRequest_Probe{Probe: &pluginpb.Probe{}}}
	answer, err := s.ask(ctx, request, func(r *pluginpb.SinkResponse) error {
		if r.GetProbed() == nil {
			return wrongf("not what a probe found")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return wire.FailureFrom(answer.GetProbed().Failure).Err()
}

// Close implements [message.Publisher]. It waits until the plugin has let go of what
// the sink holds. Idempotent.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	return s.instance.end()
}

// ask sends a request and receives what answers it. When ctx ends or the time is up,
// the plugin is told that nobody waits any longer.
func (s *Sink) ask(ctx context.Context, request any, check func(*pluginpb.SinkResponse) error) (*pluginpb.SinkResponse, error) {
	i, c := s.instance, s.instance.call
	limit := i.plugin.limits.Timeout
	hard, giveUp := context.WithCancelCause(context.Background())
	defer giveUp(nil)
	waiting := &canceller{send: func() {
		_ = c.SendMsg(&pluginpb.SinkRequest{Request: &pluginpb.SinkRequest_Cancel{Cancel: &pluginpb.Cancel{}}})
	}}
	var answer pluginpb.SinkResponse
	var why error // it was cancelled
	err := i.within(hard, limit+grace, func() error {
		if err := c.send(request); err != nil {
			return err
		}
		late := time.AfterFunc(limit, func() { waiting.cancel(notDone(i, limit)) })
		defer late.Stop()
		stop := context.AfterFunc(ctx, func() {
			waiting.cancel(context.Cause(ctx))
			time.AfterFunc(grace, func() { giveUp(context.Cause(ctx)) })
		})
		defer stop()
		err := c.RecvMsg(&answer)
		why = waiting.answered()
		if err != nil {
			return err
		}
		return check(&answer)
	})
	var death *diedError
	if err != nil && why != nil && !errors.As(err, &death) {
		return nil, why
	}
	cancelled(answer.GetPublished().GetUnknown(), why)
	return &answer, err
}
