package remote

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/lifetime"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// pagesAhead is how many pages a plugin may send before one was taken.
const pagesAhead = 4

// Expectation is the expectation of a plugin. It is for concurrent use: each read has
// an instance in the plugin for itself.
type Expectation struct {
	plugin  *Plugin
	request *pluginpb.Open
	life    *lifetime.Lifetime

	place  string
	traits validate.Traits

	mu    sync.Mutex
	idle  []*expecting
	costs validate.Costs
}

var _ validate.Expectation = (*Expectation)(nil)

// expecting is an instance of an expectation.
type expecting struct {
	*instance
	costs validate.Costs // so far
}

var errExpectationClosed = errors.New("the expectation is closed")

// Expectation returns an expectation of the plugin. It opens it, to know what it is,
// and blocks until that is done or ctx ends. The configuration is a JSON object.
func (p *Plugin) Expectation(ctx context.Context, stage string, configuration []byte, env feed.StageEnv) (*Expectation, error) {
	e := &Expectation{plugin: p, request: p.instance(protocol{}, stage, configuration, env).request, life: lifetime.New(errExpectationClosed)}
	first := e.open()
	if err := first.ready(ctx); err != nil {
		return nil, err
	}
	e.idle = []*expecting{first}
	return e, nil
}

// open returns an instance that is not open yet.
func (e *Expectation) open() *expecting {
	return &expecting{instance: &instance{plugin: e.plugin, request: e.request, protocol: protocol{
		kind: feed.KindExpectation,
		begin: func(ctx context.Context, c pluginpb.StagesClient, opts []grpc.CallOption) (grpc.ClientStream, error) {
			return c.Expectation(ctx, opts...)
		},
		open: func(s grpc.ClientStream, o *pluginpb.Open) (*pluginpb.Opened, error) {
			if err := s.SendMsg(&pluginpb.ExpectationRequest{Request: &pluginpb.ExpectationRequest_Open{Open: o}}); err != nil {
				return nil, err
			}
			var r pluginpb.ExpectationResponse
			if err := s.RecvMsg(&r); err != nil {
				return nil, err
			}
			answer := r.GetOpened()
			if answer.GetOpened() != nil && answer.Opened.Failure == nil {
				if err := e.describe(answer); err != nil {
					return nil, err
				}
			}
			return answer.GetOpened(), nil
		},
	}}}
}

// describe takes what the plugin says of the place: the same each time.
func (e *Expectation) describe(o *pluginpb.ExpectationOpened) error {
	traits := validate.Traits{
		Selective: o.Selective, Ordered: o.Ordered, Arrival: o.Arrival, Unique: o.Unique,
		TimeStep: time.Duration(o.TimeStepNanos), Identity: o.Identity, Lost: o.Lost,
	}
	if traits.TimeStep < 0 || o.Place == "" || o.Identity == "" {
		return wrongf("a side without a place or an identity, or with a negative time step")
	}
	for _, lost := range traits.Lost {
		if !slices.Contains([]string{"site", "line", "quality", "seq"}, lost) {
			return wrongf("a side that loses %.40q", lost)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.place == "" {
		e.place, e.traits = o.Place, traits
	}
	if e.place != o.Place || !reflect.DeepEqual(e.traits, traits) {
		return wrongf("another place, or other traits, than when it was first opened")
	}
	return nil
}

// String names the place.
func (e *Expectation) String() string { return e.place }

// Traits implements [validate.Side].
func (e *Expectation) Traits() validate.Traits {
	traits := e.traits
	traits.Lost = slices.Clone(traits.Lost)
	return traits
}

// Costs implements [validate.Side]. Readings are those that were handed out.
func (e *Expectation) Costs() validate.Costs {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.costs
}

// Close implements io.Closer. It ends what reads, and waits until the plugin has let
// go of what the side holds. Idempotent.
func (e *Expectation) Close() error {
	e.life.Close()
	e.mu.Lock()
	idle := e.idle
	e.idle = nil
	e.mu.Unlock()
	var errs []error
	for _, i := range idle {
		errs = append(errs, i.end())
	}
	return errors.Join(errs...)
}

// with does something with an instance that nobody else uses.
func (e *Expectation) with(ctx context.Context, do func(context.Context, *expecting) error) error {
	ctx, end, err := e.life.Begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	e.mu.Lock()
	var i *expecting
	if n := len(e.idle); n > 0 {
		i, e.idle = e.idle[n-1], e.idle[:n-1]
	}
	e.mu.Unlock()
	if i == nil {
		i = e.open()
	}
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.idle = append(e.idle, i)
	}()
	before := i.call
	if err := i.ready(ctx); err != nil {
		return err
	}
	if i.call != before {
		i.costs = validate.Costs{}
	}
	return do(ctx, i)
}

// round sends a question, if there is one, and receives an answer.
func (i *expecting) round(ctx context.Context, questions ...*pluginpb.ExpectationRequest) (*pluginpb.ExpectationResponse, error) {
	defer i.plugin.enter(false)()
	c := i.call
	answer := &pluginpb.ExpectationResponse{}
	err := i.within(ctx, i.plugin.limits.Timeout, func() error {
		for _, q := range questions {
			if err := c.send(q); err != nil {
				return err
			}
		}
		return c.RecvMsg(answer)
	})
	return answer, err
}

// failed ends an instance that has answered what it must not.
func (i *expecting) failed(ctx context.Context, err error) error {
	gen := i.call.gen
	i.drop()
	return i.died(ctx, gen, describe(err, false, 0))
}

// Watermark implements [validate.Expectation].
func (e *Expectation) Watermark(ctx context.Context) (at time.Time, err error) {
	err = e.with(ctx, func(ctx context.Context, i *expecting) error {
		answer, err := i.round(ctx, &pluginpb.ExpectationRequest{Request: &pluginpb.ExpectationRequest_Watermark{Watermark: &pluginpb.WatermarkRequest{}}})
		if err != nil {
			return err
		}
		w := answer.GetWatermark()
		if w == nil {
			return i.failed(ctx, wrongf("no watermark"))
		}
		if w.Known {
			at = time.Unix(0, w.Time).UTC()
		}
		return wire.FailureFrom(w.Failure).Err()
	})
	return at, err
}

// Read implements [validate.Side].
func (e *Expectation) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	return e.with(ctx, func(ctx context.Context, i *expecting) error {
		from, to, any := q.Times()
		if !any || !utf8.ValidString(q.Device) || !utf8.ValidString(q.Tag) {
			return nil // no reading is so
		}
		query := &pluginpb.Query{Device: q.Device, Tag: q.Tag, From: from, To: to}
		answer, err := i.round(ctx, &pluginpb.ExpectationRequest{Request: &pluginpb.ExpectationRequest_Query{Query: query}}, credit(pagesAhead))
		for ; err == nil; answer, err = i.round(ctx, credit(1)) {
			page := answer.GetPage()
			if page == nil {
				return i.failed(ctx, wrongf("no page"))
			}
			made, err := pageOf(page, query)
			if err != nil {
				return i.failed(ctx, err)
			}
			e.count(i, page.Costs, len(made.Records))
			if len(made.Records)+len(made.Unreadable) > 0 {
				if err := take(made); err != nil {
					i.drop()
					return err
				}
			}
			if page.Last {
				return wire.FailureFrom(page.Failure).Err()
			}
		}
		return err
	})
}

func credit(n uint32) *pluginpb.ExpectationRequest {
	return &pluginpb.ExpectationRequest{Request: &pluginpb.ExpectationRequest_Credit{Credit: &pluginpb.Credit{Deliveries: n}}}
}

// count adds what an instance has cost since it was last asked.
func (e *Expectation) count(i *expecting, c *pluginpb.Costs, readings int) {
	now := validate.Costs{Requests: c.GetRequests(), Retries: c.GetRetries(), Objects: c.GetObjects(), Bytes: c.GetBytes()}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.costs.Requests += max(now.Requests-i.costs.Requests, 0)
	e.costs.Retries += max(now.Retries-i.costs.Retries, 0)
	e.costs.Objects += max(now.Objects-i.costs.Objects, 0)
	e.costs.Bytes += max(now.Bytes-i.costs.Bytes, 0)
	e.costs.Readings += int64(readings)
	i.costs = now
}

// pageOf makes a page of what a plugin has sent, all of which is what was asked for.
func pageOf(p *pluginpb.Page, q *pluginpb.Query) (validate.Page, error) {
	made := validate.Page{Records: make([]validate.Record, len(p.Records))}
	for i, r := range p.Records {
		one, err := wire.ReadingFrom(r.Reading)
		switch {
		case err != nil:
			return made, wrongf("record %d of a page: %v", i, err)
		case one.Time < q.From || one.Time > q.To || q.Device != "" && one.Device != q.Device || q.Tag != "" && one.Tag != q.Tag:
			return made, wrongf("record %d of a page, which was not asked for: %s %s at %v", i, one.Device, one.Tag, one.At())
		}
		made.Records[i] = validate.Record{Reading: one, Arrived: r.Arrived, Place: validate.Place{Object: r.Object, Position: r.Position}}
	}
	for _, u := range p.Unreadable {
		one := validate.Unreadable{Place: validate.Place{Object: u.Object, Position: u.Position}, Err: errors.New(u.Text)}
		if u.Text == "" {
			one.Err = fmt.Errorf("it cannot be read")
		}
		if u.From != 0 || u.To != 0 {
			one.From, one.To = time.Unix(0, u.From).UTC(), time.Unix(0, u.To).UTC()
		}
		made.Unreadable = append(made.Unreadable, one)
	}
	return made, nil
}
