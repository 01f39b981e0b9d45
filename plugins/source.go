package plugins

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// most is how many deliveries are received at once at most; likely is how long one is
// taken to be before there was any, in bytes.
const (
	most   = 1000
	likely = 256 << 10
)

// Source implements the protocol.
func (s *Server) Source(stream grpc.BidiStreamingServer[pluginpb.SourceRequest, pluginpb.SourceResponse]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	first := request.GetOpen()
	if first == nil {
		return errNotOpened
	}
	stage, log, err := open(s, feed.KindSource, first, feed.Factory.Source)
	if err == nil {
		defer release(log, stage)
		if _, ok := stage.(feed.BatchSubscriber); !ok {
			err = feed.Permanent(fmt.Errorf("%T is a plain Subscriber: a source in a plugin is a feed.BatchSubscriber", stage))
		}
	}
	sendErr := stream.Send(&pluginpb.SourceResponse{Response: &pluginpb.SourceResponse_Opened{Opened: opened(err)}})
	if err != nil {
		return sendErr
	}
	x := &sourcing{source: stage.(feed.BatchSubscriber), stream: stream, log: log, inbox: newInbox(), size: likely}
	defer x.unsubscribe()
	receiving := make(chan struct{})
	go func() {
		defer close(receiving)
		for {
			request, err := stream.Recv()
			if err != nil {
				x.inbox.end(ended(err))
				return
			}
			if request.GetCancel() != nil {
				x.inbox.cancelQuestion()
				continue
			}
			x.inbox.put(request)
		}
	}()
	err = x.run()
	// Returning ends the call, and with it Recv: it is not waited for when the
	// source has failed.
	if err == nil {
		<-receiving
	}
	return err
}

// sourcing is an instance of a source. All calls of its subscription are made by one
// goroutine, as a route does.
type sourcing struct {
	source feed.BatchSubscriber
	stream grpc.BidiStreamingServer[pluginpb.SourceRequest, pluginpb.SourceResponse]
	log    *slog.Logger
	inbox  *inbox

	sub      feed.Subscription // nil: none
	stop     context.CancelFunc
	credit   int // how many deliveries may be sent
	bytes    int // that they may have; the last one may have more
	size     int // of a delivery, about
	received []feed.Delivery
	unsent   []feed.Delivery // of those
	ended    bool            // nothing follows those
	end      error           // why
	told     bool            // that it has ended
}

// run answers requests, and receives while there are none.
func (x *sourcing) run() error {
	for {
		ctx, cancel := context.WithCancel(x.stream.Context())
		request, over, err := x.inbox.take(cancel)
		switch {
		case over:
			cancel()
			return err
		case request != nil:
			err = x.do(request)
		case x.sub == nil || x.told || x.credit == 0 || x.bytes <= 0:
			<-x.inbox.arrived
		default:
			if len(x.unsent) == 0 && !x.ended {
				x.receive(ctx)
			}
			err = x.deliver()
		}
		cancel()
		if err != nil {
			return err
		}
	}
}

func (x *sourcing) do(r *pluginpb.SourceRequest) error {
	if c := r.GetCredit(); c != nil {
		x.credit += int(c.Deliveries)
		x.bytes += int(c.Bytes)
		return nil
	}
	ctx, cancel := context.WithCancel(x.stream.Context())
	defer cancel()
	x.inbox.question(cancel)
	answer, err := x.answer(ctx, r)
	x.inbox.answered()
	if err != nil {
		return err
	}
	return x.stream.Send(answer)
}

func (x *sourcing) answer(ctx context.Context, r *pluginpb.SourceRequest) (*pluginpb.SourceResponse, error) {
	var answer pluginpb.SourceResponse
	switch r := r.Request.(type) {
	case *pluginpb.SourceRequest_Subscribe:
		answer.Response = &pluginpb.SourceResponse_Subscribed{Subscribed: x.subscribe(ctx, r.Subscribe.Topic)}
	case *pluginpb.SourceRequest_Settle:
		answer.Response = &pluginpb.SourceResponse_Settled{Settled: &pluginpb.SettledUpTo{Failure: wire.FailureOf(x.settle(ctx, r.Settle.Settlements)).Proto()}}
	case *pluginpb.SourceRequest_Describe:
		answer.Response = &pluginpb.SourceResponse_Original{Original: x.describe(r.Describe.Tag)}
	case *pluginpb.SourceRequest_Unsubscribe:
		answer.Response = &pluginpb.SourceResponse_Unsubscribed{Unsubscribed: x.unsubscribe()}
	default:
		return nil, unknownRequest(r)
	}
	return &answer, nil
}

// guard turns a panic into an error.
func guard(what string, do func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = feed.Recovered(what, p)
		}
	}()
	return do()
}

// subscribe subscribes. The subscription's context ends with it, and not with that of
// the question.
func (x *sourcing) subscribe(question context.Context, topic string) *pluginpb.Subscribed {
	x.unsubscribe()
	ctx, stop := context.WithCancel(x.stream.Context())
	inTime := context.AfterFunc(question, stop)
	err := guard("subscribe", func() (err error) {
		x.sub, err = x.source.SubscribeBatch(ctx, topic)
		return err
	})
	x.stop = stop
	if err != nil {
		x.sub = nil
		stop()
	} else if !inTime() {
		x.unsubscribe()
		err = question.Err()
	}
	if err != nil {
		var ce *feed.ConfigError
		if errors.As(err, &ce) {
			err = feed.Permanent(err)
		}
		return &pluginpb.Subscribed{Failure: wire.FailureOf(err).Proto()}
	}
	_, describes := x.sub.(feed.Describer)
	return &pluginpb.Subscribed{Describe: describes}
}

// receive takes what the subscription hands out, until it is interrupted.
func (x *sourcing) receive(ctx context.Context) {
	x.received = x.received[:0] // what it was before must not come again when Receive panics
	err := guard("receive", func() (err error) {
		x.received, err = x.sub.Receive(ctx, x.received, min(x.credit, most, 1+x.bytes/x.size))
		return err
	})
	x.unsent = x.received
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return
	}
	x.ended = true
	if !errors.Is(err, io.EOF) {
		x.end = err
	}
}

// deliver sends what was received as far as it may, and why nothing follows.
func (x *sourcing) deliver() error {
	for len(x.unsent) > 0 && x.bytes > 0 {
		frame := x.some()
		if frame.Len() == 0 {
			frame.Discard()
			break
		}
		if err := x.stream.SendMsg(frame); err != nil {
			return err
		}
	}
	if len(x.unsent) > 0 {
		return nil
	}
	clear(x.received)
	if !x.ended {
		return nil
	}
	x.told = true
	return x.stream.Send(&pluginpb.SourceResponse{Response: &pluginpb.SourceResponse_Ended{Ended: &pluginpb.SubscriptionEnded{Failure: wire.FailureOf(x.end).Proto()}}})
}

// some puts as many deliveries together as may be sent at once. One that cannot be
// sent ends the subscription: it stays unsettled, and nothing may overtake it.
func (x *sourcing) some() *wire.Frame {
	frame := wire.NewDeliveries()
	n := 0
	for ; n < len(x.unsent) && frame.Len() < min(wire.MaxBatch, x.bytes); n++ {
		d := x.unsent[n]
		before := frame.Len()
		refused := frame.AddDelivery(d)
		if long := frame.Len() - before; refused == nil && long > wire.MaxMade {
			frame.Truncate(before)
			refused = fmt.Errorf("it is %d bytes long, more than %d", long, wire.MaxMade)
		}
		if refused != nil {
			x.ended, x.end = true, fmt.Errorf("delivery %d cannot be sent to the feed: %w", d.Tag, refused)
			x.unsent = x.unsent[:n]
			break
		}
	}
	x.unsent = x.unsent[n:]
	x.credit -= n
	x.bytes -= frame.Len()
	if n > 0 {
		x.size = max(1, (x.size+frame.Len()/n)/2)
	}
	return frame
}

var errNotSubscribed = errors.New("there is no subscription")

func (x *sourcing) settle(ctx context.Context, settlements []*pluginpb.Settlement) error {
	if x.sub == nil {
		return errNotSubscribed
	}
	all := make([]feed.Settlement, len(settlements))
	for i, s := range settlements {
		all[i] = feed.Settlement{Tag: s.Tag, Outcome: feed.Outcome(s.Outcome)}
	}
	return guard("settle", func() error { return x.sub.Settle(ctx, all) })
}

func (x *sourcing) describe(tag uint64) *pluginpb.Original {
	d, ok := x.sub.(feed.Describer)
	if !ok {
		return &pluginpb.Original{Failure: wire.FailureOf(errors.New("the source does not describe its deliveries")).Proto()}
	}
	var o feed.Original
	err := guard("describe", func() (err error) {
		o, err = d.Describe(tag)
		return err
	})
	if err != nil {
		return &pluginpb.Original{Failure: wire.FailureOf(err).Proto()}
	}
	return &pluginpb.Original{Payload: o.Payload, Format: wire.Text(o.Format), Properties: o.Properties, Origin: wire.Text(o.Origin)}
}

func (x *sourcing) unsubscribe() *pluginpb.Unsubscribed {
	if x.sub == nil {
		return &pluginpb.Unsubscribed{}
	}
	err := guard("close", x.sub.Close)
	x.stop()
	x.sub, x.credit, x.bytes, x.unsent, x.ended, x.end, x.told = nil, 0, 0, nil, false, nil, false
	answer := &pluginpb.Unsubscribed{Failure: wire.FailureOf(err).Proto()}
	var lost *feed.SettleLostError
	if errors.As(err, &lost) {
		answer.SettledLost = uint64(max(lost.Settled, 0))
		answer.Failure = wire.FailureOf(lost.Err).Proto()
	}
	return answer
}
