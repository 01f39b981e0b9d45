package plugins

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// What a page has at most.
const (
	pageRecords = 2000
	pageTexts   = 1 << 20 // bytes
)

// Expectation implements the protocol.
func (s *Server) Expectation(stream grpc.BidiStreamingServer[pluginpb.ExpectationRequest, pluginpb.ExpectationResponse]) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	first := request.GetOpen()
	if first == nil {
		return errNotOpened
	}
	side, log, err := open(s, feed.KindExpectation, first, validate.NewExpectation)
	answer := &pluginpb.ExpectationOpened{Opened: opened(err)}
	if err == nil {
		defer release(log, side)
		describeSide(answer, side)
	}
	sendErr := stream.Send(&pluginpb.ExpectationResponse{Response: &pluginpb.ExpectationResponse_Opened{Opened: answer}})
	if err != nil {
		return sendErr
	}

	// One goroutine receives, so that a read hears of credit and of the end of the
	// call.
	x := &expecting{side: side, stream: stream, credited: make(chan struct{}, 1)}
	questions := make(chan *pluginpb.ExpectationRequest)
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	received := make(chan error, 1)
	go func() {
		defer close(questions)
		defer cancel()
		for {
			request, err := stream.Recv()
			if err != nil {
				received <- ended(err)
				return
			}
			if c := request.GetCredit(); c != nil {
				x.grant(int(c.Deliveries))
				continue
			}
			if request.GetQuery() != nil {
				x.start()
			}
			select {
			case questions <- request:
			case <-ctx.Done():
				received <- ctx.Err()
				return
			}
		}
	}()
	for request := range questions {
		switch r := request.Request.(type) {
		case *pluginpb.ExpectationRequest_Watermark:
			err = stream.Send(&pluginpb.ExpectationResponse{Response: &pluginpb.ExpectationResponse_Watermark{Watermark: x.watermark(ctx)}})
		case *pluginpb.ExpectationRequest_Query:
			err = x.query(ctx, r.Query)
		default:
			err = unknownRequest(r)
		}
		if err != nil {
			return err
		}
	}
	return <-received
}

// describeSide says what can be known of a side.
func describeSide(to *pluginpb.ExpectationOpened, side validate.Side) {
	traits := side.Traits()
	to.Place, to.Identity, to.Lost = wire.Text(side.String()), wire.Text(traits.Identity), traits.Lost
	to.Selective, to.Ordered, to.Arrival, to.Unique = traits.Selective, traits.Ordered, traits.Arrival, traits.Unique
	to.TimeStepNanos = int64(traits.TimeStep)
}

// expecting is an instance of an expectation.
type expecting struct {
	side   validate.Expectation
	stream grpc.BidiStreamingServer[pluginpb.ExpectationRequest, pluginpb.ExpectationResponse]

	mu       sync.Mutex
	credit   int
	credited chan struct{} // has room for one
}

// start sets the credit back, for a new query.
func (x *expecting) start() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.credit = 0
}

func (x *expecting) grant(n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.credit += n
	select {
	case x.credited <- struct{}{}:
	default:
	}
}

// use waits until a page may be sent.
func (x *expecting) use(ctx context.Context) error {
	for {
		x.mu.Lock()
		free := x.credit > 0
		if free {
			x.credit--
		}
		x.mu.Unlock()
		if free {
			return nil
		}
		select {
		case <-x.credited:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (x *expecting) watermark(ctx context.Context) *pluginpb.Watermark {
	var mark time.Time
	err := guard("watermark", func() (err error) {
		mark, err = x.side.Watermark(ctx)
		return err
	})
	switch {
	case err != nil:
		return &pluginpb.Watermark{Failure: wire.FailureOf(err).Proto()}
	case mark.IsZero():
		return &pluginpb.Watermark{}
	case mark.After(time.Unix(0, math.MaxInt64)):
		mark = time.Unix(0, math.MaxInt64)
	case mark.Before(time.Unix(0, math.MinInt64)):
		mark = time.Unix(0, math.MinInt64)
	}
	return &pluginpb.Watermark{Known: true, Time: mark.UnixNano()}
}

// query sends the pages of a query. An error is the call's; the side's is sent with
// the last page.
func (x *expecting) query(ctx context.Context, q *pluginpb.Query) error {
	var sendErr error
	send := func(p *pluginpb.Page) error {
		if sendErr = x.use(ctx); sendErr != nil {
			return sendErr
		}
		c := x.side.Costs()
		p.Costs = &pluginpb.Costs{Requests: c.Requests, Retries: c.Retries, Objects: c.Objects, Bytes: c.Bytes, Readings: c.Readings}
		sendErr = x.stream.Send(&pluginpb.ExpectationResponse{Response: &pluginpb.ExpectationResponse_Page{Page: p}})
		return sendErr
	}
	err := guard("read", func() error {
		wanted := validate.Query{Device: q.Device, Tag: q.Tag, From: time.Unix(0, q.From), To: time.Unix(0, q.To).Add(1)}
		return x.side.Read(ctx, wanted, func(p validate.Page) error {
			pages, err := pagesOf(p)
			for _, one := range pages {
				if sent := send(one); sent != nil {
					return sent
				}
			}
			return err
		})
	})
	if sendErr != nil {
		return sendErr
	}
	return send(&pluginpb.Page{Last: true, Failure: wire.FailureOf(err).Proto()})
}

// pagesOf makes pages of one, none of which is long. The error is a record's that is
// not valid, behind which there is nothing.
func pagesOf(p validate.Page) ([]*pluginpb.Page, error) {
	current := &pluginpb.Page{}
	pages := []*pluginpb.Page{current}
	texts := 0
	for i := range p.Records {
		r := &p.Records[i]
		if err := errors.Join(r.Validate(), placeText(r.Place)); err != nil {
			return pages, fmt.Errorf("record at %s: %w", wire.Text(r.Place.String()), err)
		}
		if len(current.Records) == pageRecords || texts > pageTexts {
			current, texts = &pluginpb.Page{}, 0
			pages = append(pages, current)
		}
		texts += len(r.Value.Text()) + len(r.Place.Object)
		current.Records = append(current.Records, &pluginpb.Record{
			Reading: wire.ReadingProto(&r.Reading), Arrived: r.Arrived, Object: r.Place.Object, Position: r.Place.Position,
		})
	}
	for _, u := range p.Unreadable {
		if len(current.Unreadable) == pageRecords {
			current = &pluginpb.Page{}
			pages = append(pages, current)
		}
		current.Unreadable = append(current.Unreadable, &pluginpb.Unreadable{
			Object: wire.Text(u.Place.Object), Position: u.Place.Position, Text: wire.Text(fmt.Sprint(u.Err)), From: nanos(u.From), To: nanos(u.To),
		})
	}
	return pages, nil
}

// placeText says when the object of a place cannot be sent.
func placeText(p validate.Place) error {
	if wire.Text(p.Object) != p.Object {
		return errors.New("the name of the object is no UTF-8, or longer than 16 KiB")
	}
	return nil
}

// nanos is a time in nanoseconds since 1970 UTC; 0 is none.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
