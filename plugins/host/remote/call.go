package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// protocol is what a call of one kind of stage is made of.
type protocol struct {
	kind  feed.Kind
	begin func(context.Context, pluginpb.StagesClient, []grpc.CallOption) (grpc.ClientStream, error)
	// open sends Open and receives what answers it.
	open func(grpc.ClientStream, *pluginpb.Open) (*pluginpb.Opened, error)
}

// instance is a stage as the feed knows it: over time several calls, one process
// after another. It is for one goroutine, but for the reading side of its call.
type instance struct {
	plugin *Plugin
	protocol
	request *pluginpb.Open

	call *call // nil: none is open
}

// call is an instance within one process.
type call struct {
	grpc.ClientStream
	gen    uint64
	cancel context.CancelFunc
	opened *pluginpb.Opened
	ending atomic.Bool // cancelled: it is of no more use
}

func (p *Plugin) instance(of protocol, stage string, configuration []byte, env feed.StageEnv) *instance {
	return &instance{plugin: p, protocol: of, request: &pluginpb.Open{
		Stage: stage, Configuration: configuration, Feed: env.Feed, Route: env.Route, Trial: env.Trial,
	}}
}

// String names the stage for people.
func (i *instance) String() string {
	return fmt.Sprintf("%s %s of plugin %s", i.kind, i.request.Stage, i.plugin.name)
}

// diedError says that the process of a plugin died, or was killed for what it did.
type diedError struct {
	stage *instance
	how   string
}

func (e *diedError) Error() string { return fmt.Sprintf("%s: the plugin died: %s", e.stage, e.how) }

// wrong is an answer that a plugin cannot have meant.
type wrong struct{ what string }

func (w *wrong) Error() string { return "it answered what it must not: " + w.what }

func wrongf(format string, a ...any) error { return &wrong{fmt.Sprintf(format, a...)} }

// ready opens the instance where it is not open in the process that runs.
func (i *instance) ready(ctx context.Context) error {
	client, gen, err := i.plugin.conn.Client(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", i, err)
	}
	if i.call != nil && i.call.gen == gen && !i.call.ending.Load() {
		return nil
	}
	i.drop()
	streamCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &call{gen: gen, cancel: cancel}
	i.call = c
	defer i.plugin.enter(false)()
	err = i.within(ctx, i.plugin.limits.Timeout, func() (err error) {
		if c.ClientStream, err = i.begin(streamCtx, client, wire.CallOptions(i.plugin.limits.MessageBytes)); err != nil {
			return err
		}
		c.opened, err = i.open(c.ClientStream, i.request)
		if err == nil && c.opened == nil {
			err = wrongf("its first response is not Opened")
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := wire.FailureFrom(c.opened.Failure).Err(); err != nil {
		i.drop()
		return fmt.Errorf("%s cannot be opened: %w", i, err)
	}
	return nil
}

// enter opens the instance where it is not open in the process that runs, and begins
// a call, alone when it is one with a suspect. It returns what ends the call. A process
// that another call has killed meanwhile did not die of this one: nothing is sent to it.
func (i *instance) enter(ctx context.Context, suspect bool) (leave func(), err error) {
	for {
		if err := i.ready(ctx); err != nil {
			return nil, err
		}
		leave := i.plugin.enter(suspect)
		if i.call.gen > i.plugin.dead.Load() {
			return leave, nil
		}
		leave()
	}
}

// drop gives the call up.
func (i *instance) drop() {
	if i.call == nil {
		return
	}
	i.call.ending.Store(true)
	i.call.cancel()
	i.call = nil
}

// within does something with the call. When it is not done after d, or the call
// fails, the process has failed, and the error is a *diedError. When ctx ends first
// the call is given up, too, and the error is the context's.
func (i *instance) within(ctx context.Context, d time.Duration, do func() error) error {
	c := i.call
	var late atomic.Bool
	giveUp := func() {
		c.ending.Store(true)
		c.cancel()
	}
	timer := time.AfterFunc(d, func() {
		late.Store(true)
		giveUp()
	})
	stop := context.AfterFunc(ctx, giveUp)
	err := do()
	inTime, notEnded := timer.Stop(), stop()
	if !inTime || !notEnded { // it is being given up: who comes next must know
		giveUp()
	}
	if err == nil {
		return nil
	}
	i.drop()
	if ctx.Err() != nil && !late.Load() {
		return fmt.Errorf("%s: %w", i, context.Cause(ctx))
	}
	return i.died(ctx, c.gen, describe(err, late.Load(), d))
}

// died tells the supervisor, and returns how the process has ended.
func (i *instance) died(ctx context.Context, gen uint64, how string) error {
	i.plugin.failed(gen, fmt.Sprintf("%s %s: %s", i.kind, i.request.Stage, how))
	ctx, cancel := context.WithTimeout(ctx, i.plugin.limits.Timeout)
	defer cancel()
	if ended := i.plugin.conn.Ended(ctx, gen); ended != "" {
		how = ended
	}
	return &diedError{i, how}
}

// describe says for people why a call has failed.
func describe(err error, late bool, d time.Duration) string {
	var w *wrong
	switch {
	case late:
		return fmt.Sprintf("it did not answer within %v", d)
	case errors.As(err, &w):
		return w.Error()
	case errors.Is(err, io.EOF):
		return "it ended the call"
	}
	s := status.Convert(err)
	if _, why, ok := strings.Cut(s.Message(), "failed to unmarshal the received message: "); ok {
		return wrongf("%s", why).Error()
	}
	switch s.Code() {
	case codes.Unavailable:
		return "the connection has gone: " + s.Message()
	case codes.ResourceExhausted:
		return "its answer is too long: " + s.Message()
	}
	return fmt.Sprintf("the call ended with %v: %s", s.Code(), s.Message())
}

// send sends a request. Why a call has ended is known to who receives, behind all
// that had arrived before its end.
func (c *call) send(request any) error {
	err := c.SendMsg(request)
	if err != io.EOF { //nolint:errorlint // gRPC returns it bare
		return err
	}
	for {
		if err := c.RecvMsg(new(pluginpb.HeartbeatResponse)); err != nil {
			return err
		}
	}
}

// end ends the instance and waits until the plugin has let go of it. A process that
// has died, or dies of it, has let go of everything: its supervisor tells of that.
func (i *instance) end() error {
	if i.call == nil || i.call.ending.Load() {
		i.drop()
		return nil
	}
	c := i.call
	defer i.plugin.enter(false)()
	err := i.within(context.Background(), i.plugin.limits.Timeout, func() error {
		if err := c.CloseSend(); err != nil {
			return err
		}
		for {
			err := c.RecvMsg(new(pluginpb.HeartbeatResponse)) // what it still sends is of no interest
			if err == io.EOF {                                //nolint:errorlint // gRPC returns it bare
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
	i.drop()
	var death *diedError
	if errors.As(err, &death) {
		return nil
	}
	return err
}
