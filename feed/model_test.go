package feed_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// schedule is one random history of a route: what its messages are, and what
// goes wrong when. Everything follows from it, so that a failing one can be
// replayed and shrunk.
type schedule struct {
	order    feed.Order
	form     string // of the transforms: "func", "batch", "batch behind", "batch between"
	window   int
	batch    feed.BatchLimits
	messages []modelMessage
	sink     []sinkStep    // one for each call, then all is well
	steps    []outsideStep // what happens around the route, in time
}

// modelMessage says what is to become of a message.
type modelMessage struct {
	key       string
	transform string // "pass", "split", "filter", "malformed", "flaky"
	refused   bool   // by the sink, for ever
	fatal     bool   // the sink's peer ends the connection because of it
}

// sinkStep is how the sink behaves in one call.
type sinkStep struct {
	kind string // "ok", "unknown", "partial"
	keep int    // unknown: how many messages it has really taken
	mask uint64 // partial: which messages fail
	took time.Duration
}

// outsideStep happens after a pause.
type outsideStep struct {
	after time.Duration
	kind  string // "break", "refuse", "accept", "sink down", "sink up", "quarantine full", "quarantine empty", "restart"
}

func drawSchedule(rt *rapid.T) schedule {
	s := schedule{
		order:  feed.Order(rapid.SampledFrom(feed.OrderWire.Values()).Draw(rt, "order")),
		form:   rapid.SampledFrom([]string{"func", "batch", "batch behind", "batch between"}).Draw(rt, "form"),
		window: rapid.IntRange(1, 30).Draw(rt, "window"),
	}
	s.batch.MaxMessages = rapid.IntRange(1, s.window).Draw(rt, "maxMessages")
	s.batch.MaxDelay = rapid.SampledFrom([]time.Duration{0, time.Second}).Draw(rt, "maxDelay")
	s.messages = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) modelMessage {
		return modelMessage{
			key:       rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key"),
			transform: rapid.SampledFrom([]string{"pass", "pass", "pass", "split", "filter", "malformed", "flaky"}).Draw(rt, "transform"),
			refused:   rapid.IntRange(0, 9).Draw(rt, "refused") == 9,
			fatal:     rapid.IntRange(0, 19).Draw(rt, "fatal") == 19,
		}
	}), 1, 60).Draw(rt, "messages")
	s.sink = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) sinkStep {
		return sinkStep{
			kind: rapid.SampledFrom([]string{"ok", "unknown", "partial"}).Draw(rt, "sink"),
			keep: rapid.IntRange(0, 30).Draw(rt, "keep"),
			mask: rapid.Uint64().Draw(rt, "mask"),
			took: rapid.SampledFrom([]time.Duration{0, time.Millisecond, 2 * time.Second}).Draw(rt, "took"),
		}
	}), 0, 30).Draw(rt, "sink")
	s.steps = rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) outsideStep {
		return outsideStep{
			after: rapid.SampledFrom([]time.Duration{0, 50 * time.Millisecond, time.Second, time.Minute}).Draw(rt, "after"),
			kind:  rapid.SampledFrom([]string{"break", "refuse", "accept", "sink down", "sink up", "quarantine full", "quarantine empty", "restart"}).Draw(rt, "kind"),
		}
	}), 0, 12).Draw(rt, "steps")
	return s
}

// model runs a schedule and keeps what an outside observer knows.
type model struct {
	schedule
	queue    *feedtest.Queue
	box      *feedtest.Quarantine
	boxFull  atomic.Bool
	sinkDown atomic.Bool
	calls    int
	flaky    map[string]int

	taken    []string // by the sink, over all restarts
	durable  map[string]bool
	problems []error
	returned uint64 // settlements and deliveries that came again
	reorders uint64
}

func newModel(s schedule) *model {
	m := &model{schedule: s, flaky: map[string]int{}, durable: map[string]bool{}}
	m.queue = &feedtest.Queue{Window: s.window, OnSettle: m.settled}
	m.box = &feedtest.Quarantine{Fail: func() error {
		if m.boxFull.Load() {
			return errors.New("quarantine is full")
		}
		return nil
	}}
	for i, mm := range s.messages {
		m.queue.Put(fmt.Sprintf("%s:%03d", mm.key, i))
	}
	m.queue.End()
	return m
}

func (m *model) of(payload string) modelMessage {
	_, number, _ := strings.Cut(payload, ":")
	number, _, _ = strings.Cut(number, "/")
	var i int
	if _, err := fmt.Sscanf(number, "%d", &i); err != nil {
		panic(err)
	}
	return m.messages[i]
}

// made returns the payloads that must reach the sink for a message.
func (m *model) made(payload string) []string {
	switch mm := m.of(payload); {
	case mm.transform == "filter" || mm.transform == "malformed":
		return nil
	case mm.transform == "split":
		return []string{payload + "/1", payload + "/2"}
	}
	return []string{payload}
}

func (m *model) problem(format string, a ...any) error {
	err := fmt.Errorf(format, a...)
	m.problems = append(m.problems, err)
	return err
}

// settled checks each settlement at the moment it is made: nothing may be
// acknowledged before it is durable.
func (m *model) settled(s feedtest.Settled) error {
	inBox := slices.ContainsFunc(m.box.Items(), func(i feed.QuarantineItem) bool { return string(i.Payload) == s.Payload })
	switch s.Outcome {
	case feed.Filtered:
		if m.of(s.Payload).transform != "filter" {
			return m.problem("%s settled as filtered", s.Payload)
		}
	case feed.Quarantined:
		if !inBox {
			return m.problem("%s settled as quarantined, but the quarantine does not have it", s.Payload)
		}
	default:
		made := m.made(s.Payload)
		if len(made) == 0 {
			return m.problem("%s settled as delivered, but it was never to be", s.Payload)
		}
		for _, p := range made {
			if !m.durable[p] {
				return m.problem("%s settled as delivered before %s was durable", s.Payload, p)
			}
		}
	}
	return nil
}

func (m *model) take(p string) {
	m.taken = append(m.taken, p)
	m.durable[p] = true
}

// publish is the sink.
func (m *model) publish(ctx context.Context, b *feed.Batch) (int, error) {
	step := sinkStep{kind: "ok"}
	if m.calls < len(m.sink) {
		step = m.sink[m.calls]
	}
	m.calls++
	if step.took > 0 {
		select {
		case <-time.After(step.took):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	failed := &feed.BatchError{}
	if m.sinkDown.Load() {
		if m.calls%2 == 0 {
			return 0, errors.New("connection refused")
		}
		for i := range b.Messages {
			failed.Add(i, errors.New("connection refused"))
		}
		return 0, failed
	}
	for i, msg := range b.Messages {
		p := string(msg.Payload)
		mm := m.of(p)
		switch {
		case mm.fatal:
			failed.Add(i, feed.ConnectionFatal(errors.New("disconnected by the peer")))
			for j := i + 1; j < len(b.Messages); j++ {
				failed.Add(j, errors.New("connection lost"))
			}
			return 0, failed
		case step.kind == "unknown" && i >= step.keep:
			return i, errors.New("connection reset")
		case mm.refused:
			failed.Add(i, feed.Permanent(errors.New("refused")))
		case step.kind == "partial" && step.mask>>(i%64)&1 == 1:
			failed.Add(i, errors.New("quota exceeded"))
		default:
			m.take(p)
		}
	}
	return 0, failed.ErrorOrNil()
}

func (m *model) transforms() []feed.Transform {
	shape := feed.Transform{Name: "shape", Func: func(msg *message.Message) ([]*message.Message, error) {
		p := string(msg.Payload)
		switch m.of(p).transform {
		case "filter":
			return nil, feed.Filter("unwanted")
		case "malformed":
			return nil, feed.Permanent(errors.New("malformed"))
		case "flaky":
			if m.flaky[p]++; m.flaky[p]%3 != 0 {
				return nil, errors.New("not yet")
			}
		case "split":
			var out []*message.Message
			for _, part := range m.made(p) {
				out = append(out, &message.Message{Payload: message.Payload(part), Metadata: msg.Metadata})
			}
			return out, nil
		}
		return []*message.Message{msg}, nil
	}}
	pass := feed.Transform{Name: "pass", Func: func(msg *message.Message) ([]*message.Message, error) {
		p := string(msg.Payload)
		if m.of(p).transform == "split" {
			if m.flaky[p+" passes"]++; m.flaky[p+" passes"]%2 != 0 {
				return nil, errors.New("not yet")
			}
		}
		return []*message.Message{msg}, nil
	}}
	switch m.form {
	case "batch":
		return []feed.Transform{inBatches(shape)}
	case "batch behind":
		return []feed.Transform{shape, inBatches(pass)}
	case "batch between":
		return []feed.Transform{pass, inBatches(shape), pass, inBatches(pass)}
	}
	return []feed.Transform{shape}
}

// inBatches is a transform that does the same and takes batches.
func inBatches(t feed.Transform) feed.Transform {
	one := t.Func
	t.Func = nil
	t.Batch = func(_ context.Context, msgs []*message.Message) (all []feed.Made) {
		for _, m := range msgs {
			out, err := one(m)
			all = append(all, feed.Made{Messages: out, Err: err})
			if feed.IsTransient(err) {
				break
			}
		}
		return all
	}
	return t
}

// life runs one feed until stop is called or the source has no more.
func (m *model) life(ctx context.Context) (f *feed.Feed, ended chan error) {
	f, err := feed.New(feed.Options{
		Quarantine:   m.box,
		Logger:       slog.New(slog.NewTextHandler(io.Discard, nil)),
		DrainTimeout: 3 * time.Second,
	}, feed.Route{
		Name: "r", Source: m.queue, Transforms: m.transforms(),
		Sink: &feedtest.Sink{
			Take: m.publish,
			Check: func(context.Context) error {
				if m.sinkDown.Load() {
					return errors.New("down")
				}
				return nil
			},
		},
		Order: m.order, Batch: m.batch, Park: feed.ParkLimits{PerKey: 4, PerRoute: 8},
	})
	if err != nil {
		panic(err)
	}
	ended = make(chan error, 1)
	go func() { ended <- f.Run(ctx) }()
	return f, ended
}

func (m *model) check(f *feed.Feed) {
	s := f.Status().Routes[0]
	for _, err := range []error{s.Deliveries.Check(), s.Produced.Check()} {
		if err != nil {
			m.problem("%w", err)
		}
	}
	if int(s.Deliveries.InFlight) > m.window {
		m.problem("%d deliveries in flight, with a window of %d", s.Deliveries.InFlight, m.window)
	}
}

// end adds up what a feed that has ended has counted.
func (m *model) end(f *feed.Feed, err error) {
	if err != nil && !errors.Is(err, feed.ErrDrainDeadline) {
		m.problem("run: %w", err)
	}
	m.check(f)
	s := f.Status().Routes[0]
	if s.Deliveries.InFlight != 0 || s.Produced.InFlight != 0 {
		m.problem("in flight after the end: %d deliveries, %d messages", s.Deliveries.InFlight, s.Produced.InFlight)
	}
	m.returned += feed.Total(s.Deliveries.Returned) + s.SettleLost
	m.reorders += s.Reordered
}

func (m *model) run(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	f, ended := m.life(ctx)
	finished := false
	for _, step := range m.steps {
		time.Sleep(step.after) // of the bubble's clock
		synctest.Wait()
		m.check(f)
		switch step.kind {
		case "break":
			m.queue.Break()
		case "refuse":
			m.queue.Refuse(errors.New("connection refused"))
		case "accept":
			m.queue.Refuse(nil)
		case "sink down", "sink up":
			m.sinkDown.Store(step.kind == "sink down")
		case "quarantine full", "quarantine empty":
			m.boxFull.Store(step.kind == "quarantine full")
		case "restart":
			stop()
			m.end(f, <-ended)
			ctx, stop = context.WithCancel(t.Context())
			f, ended = m.life(ctx)
		}
	}
	m.queue.Refuse(nil)
	m.sinkDown.Store(false)
	m.boxFull.Store(false)
	for !finished { // everything is well now: it must come to an end
		select {
		case err := <-ended:
			m.end(f, err)
			finished = true
		case <-time.After(24 * time.Hour):
			m.problem("not finished a day after everything was well: %+v", f.Status().Routes[0])
			stop()
			m.end(f, <-ended)
			finished = true
		}
	}
	stop()
}

// verify judges the end state.
func (m *model) verify() error {
	inBox := map[string]bool{}
	for _, i := range m.box.Items() {
		inBox[string(i.Payload)] = true
	}
	var expected, unexpected int
	for i, mm := range m.messages {
		p := fmt.Sprintf("%s:%03d", mm.key, i)
		made := m.made(p)
		expected += len(made)
		condemned := mm.transform == "malformed" || mm.transform != "filter" && (mm.refused || mm.fatal)
		if condemned != inBox[p] {
			m.problem("%s: in quarantine %t, want %t", p, inBox[p], condemned)
		}
		for _, part := range made {
			if m.durable[part] == condemned {
				m.problem("%s: delivered %t, want %t", part, m.durable[part], !condemned)
			}
		}
		if condemned {
			unexpected += len(made)
		}
	}
	if n := m.queue.Len(); n != 0 {
		m.problem("%d messages left in the queue", n)
	}
	m.verifyOrder()
	return errors.Join(append(m.problems, m.queue.Misuse())...)
}

// verifyOrder checks the first occurrences of each key.
func (m *model) verifyOrder() {
	seen, last, behind := map[string]bool{}, map[string]string{}, uint64(0)
	for _, p := range m.taken {
		if seen[p] {
			continue
		}
		seen[p] = true
		key, _, _ := strings.Cut(p, ":")
		if p < last[key] {
			behind++
		} else {
			last[key] = p
		}
	}
	switch m.order {
	case feed.OrderKey:
		if behind > 0 {
			m.problem("order key: %d messages behind a later one of their key: %v", behind, m.taken)
		}
	case feed.OrderWire:
		if behind > m.reorders {
			m.problem("order wire: %d messages behind a later one of their key, but %d counted as reordered: %v", behind, m.reorders, m.taken)
		}
	}
}

// TestModel runs random histories of failures against the route and checks
// that nothing is lost, nothing is settled early, everything is accounted for
// and order holds. A failing history is shrunk to a small one.
func TestModel(t *testing.T) {
	orders := map[feed.Order]int{}
	rapid.Check(t, func(rt *rapid.T) {
		s := drawSchedule(rt)
		orders[s.order]++
		m := newModel(s)
		var err error
		synctest.Test(t, func(t *testing.T) {
			m.run(t)
			err = m.verify()
		})
		if err != nil {
			rt.Fatalf("%v\nschedule: %+v", err, s)
		}
	})
	if len(orders) != 3 {
		t.Errorf("orders tried: %v", slices.Collect(maps.Keys(orders)))
	}
}
