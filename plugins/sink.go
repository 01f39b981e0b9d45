package plugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Sink implements the protocol.
func (s *Server) Sink(stream grpc.BidiStreamingServer[pluginpb.SinkRequest, pluginpb.SinkResponse]) error {
	var request wire.SinkRequest
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	first := request.Other.GetOpen()
	if first == nil {
		return errNotOpened
	}
	stage, log, err := open(s, feed.KindSink, first, feed.Factory.Sink)
	if err == nil {
		defer release(log, stage)
		if _, ok := stage.(feed.BatchPublisher); !ok {
			err = feed.Permanent(fmt.Errorf("%T is a plain Publisher: declare it with feed.DurablePublisher", stage))
		}
	}
	answer := opened(err)
	prober, probes := stage.(feed.Prober)
	answer.Probe = err == nil && probes
	sendErr := stream.Send(&pluginpb.SinkResponse{Response: &pluginpb.SinkResponse_Opened{Opened: answer}})
	if err != nil {
		return sendErr
	}

	// One goroutine calls the sink, this one receives: so it sees a Cancel.
	x := &sinking{sink: stage.(feed.BatchPublisher), prober: prober, log: log, answer: stream.Send}
	jobs := make(chan func() error)
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for job := range jobs {
			if err := job(); err != nil {
				failed <- err
				return
			}
		}
	}()
	cancel := context.CancelFunc(func() {})
	receive := func() error {
		for {
			if err := stream.RecvMsg(&request); err != nil {
				return ended(err)
			}
			var ctx context.Context
			var do func(context.Context) error
			switch other := request.Other.GetRequest().(type) {
			case *pluginpb.SinkRequest_Cancel:
				cancel()
				continue
			case *pluginpb.SinkRequest_Probe:
				do = x.probe
			default:
				if !request.IsPublish {
					return unknownRequest(other)
				}
				b := request.Publish
				b.Messages = slices.Clone(b.Messages)
				do = func(ctx context.Context) error { return x.publish(ctx, b) }
			}
			ctx, cancel = context.WithCancel(stream.Context())
			done := cancel
			job := func() error {
				defer done()
				return do(ctx)
			}
			select {
			case jobs <- job:
			case err := <-failed:
				done()
				return err
			}
		}
	}
	err = receive()
	if err != nil {
		cancel() // nobody waits for the answer
	}
	close(jobs)
	return errors.Join(err, <-failed)
}

// sinking is an instance of a sink.
type sinking struct {
	sink   feed.BatchPublisher
	prober feed.Prober
	log    *slog.Logger
	answer func(*pluginpb.SinkResponse) error
}

func (x *sinking) publish(ctx context.Context, b wire.Batch) error {
	received := time.Now()
	if b.Received != 0 {
		received = time.Unix(0, b.Received)
	}
	published := published(x.call(ctx, &feed.Batch{Messages: b.Messages, Received: received}))
	published.Number = b.Number
	return x.answer(&pluginpb.SinkResponse{Response: &pluginpb.SinkResponse_Published{Published: published}})
}

// call calls the sink. After a panic the outcome is unknown, as in a feed.
func (x *sinking) call(ctx context.Context, b *feed.Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = feed.Recovered("sink", p)
			tellPanic(x.log, err)
		}
	}()
	return x.sink.PublishBatch(ctx, b)
}

// published says what an error of PublishBatch means.
func published(err error) *pluginpb.Published {
	var failed *feed.BatchError
	if !errors.As(err, &failed) || failed == nil {
		return &pluginpb.Published{Unknown: wire.FailureOf(err).Proto()}
	}
	all := &pluginpb.Published{}
	for _, f := range failed.Failures {
		if f.Err == nil {
			f.Err = errors.New("a failure without an error")
		}
		all.Failures = append(all.Failures, &pluginpb.MessageFailure{Index: uint32(f.Index), Failure: wire.FailureOf(f.Err).Proto()})
	}
	return all
}

func (x *sinking) probe(ctx context.Context) error {
	err := errNoProbe
	if x.prober != nil {
		err = probe(ctx, x.prober)
	}
	return x.answer(&pluginpb.SinkResponse{Response: &pluginpb.SinkResponse_Probed{Probed: &pluginpb.Probed{Failure: wire.FailureOf(err).Proto()}}})
}

var errNoProbe = errors.New("the sink cannot be probed")

func probe(ctx context.Context, p feed.Prober) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = feed.Recovered("probe", p)
		}
	}()
	return p.Probe(ctx)
}
