package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// What a plugin may send before it was received.
var maxCredit = allowance{deliveries: 1000, bytes: 8 << 20}

// allowance is a number of deliveries, and of the bytes that they have together.
type allowance struct{ deliveries, bytes int }

func (a allowance) plus(other allowance) allowance {
	return allowance{a.deliveries + other.deliveries, a.bytes + other.bytes}
}

func (a allowance) minus(other allowance) allowance {
	return allowance{a.deliveries - other.deliveries, a.bytes - other.bytes}
}

// subscription is one of a source. A goroutine receives what the plugin sends from
// the begin to the end.
type subscription struct {
	stage *instance
	call  *call

	asking  sync.Mutex                    // one question at a time
	asked   atomic.Bool                   // it has no answer yet
	answers chan *pluginpb.SourceResponse // to it
	sending sync.Mutex
	late    atomic.Pointer[string] // why the call was given up
	over    chan struct{}          // closed when nothing more is received

	mu      sync.Mutex
	ready   []feed.Delivery
	parts   []allowance   // what is left in ready of what was sent at once, and all its bytes
	held    allowance     // in ready
	granted allowance     // and not used
	tag     uint64        // of the last delivery
	changed chan struct{} // closed when there is something to see, and replaced
	end     error         // no more will come, and why
	closed  bool

	closing  sync.Once
	closeErr error
}

func newSubscription(i *instance) *subscription {
	s := &subscription{stage: i, call: i.call, answers: make(chan *pluginpb.SourceResponse, 1), over: make(chan struct{}), changed: make(chan struct{})}
	go s.listen()
	return s
}

// listen receives until the subscription has ended.
func (s *subscription) listen() {
	defer close(s.over)
	var response wire.SourceResponse
	for {
		if err := s.call.RecvMsg(&response); err != nil {
			s.fail(err)
			return
		}
		var err error
		switch answer := response.Other.GetResponse().(type) {
		case nil:
			if !response.IsDeliveries {
				err = wrongf("nothing that is known")
				break
			}
			err = s.deliver(response.Deliveries, response.Bytes)
		case *pluginpb.SourceResponse_Ended:
			reason := wire.FailureFrom(answer.Ended.Failure).Err()
			if reason == nil {
				reason = io.EOF
			}
			s.ended(reason)
		case *pluginpb.SourceResponse_Opened:
			err = wrongf("Opened, a second time")
		default:
			if !s.asked.CompareAndSwap(true, false) {
				err = wrongf("%T, when it was not asked", answer)
				break
			}
			s.answers <- response.Other // there is room for one
			if _, last := answer.(*pluginpb.SourceResponse_Unsubscribed); last {
				return
			}
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// fail ends the subscription, and the process when it is not the feed that has given
// the call up.
func (s *subscription) fail(err error) {
	why := s.late.Load()
	switch {
	case why != nil:
		err = s.stage.died(context.Background(), s.call.gen, *why)
	case s.call.ending.Load():
		err = fmt.Errorf("%s: the call was given up", s.stage)
	default:
		err = s.stage.died(context.Background(), s.call.gen, describe(err, false, 0))
	}
	s.call.ending.Store(true)
	s.call.cancel()
	s.ended(err)
}

// ended notes why no more will come.
func (s *subscription) ended(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil || errors.Is(s.end, io.EOF) {
		s.end = err
	}
	s.tell()
}

// tell wakes Receive. The lock is held.
func (s *subscription) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// deliver takes deliveries from the plugin.
func (s *subscription) deliver(ds []feed.Delivery, bytes int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil {
		return wrongf("deliveries behind the end of the subscription")
	}
	if len(ds) > s.granted.deliveries {
		return wrongf("%d deliveries, when it may send %d", len(ds), s.granted.deliveries)
	}
	if s.granted.bytes <= 0 {
		return wrongf("deliveries of %d bytes, when it may send none", bytes)
	}
	for _, d := range ds {
		if d.Tag <= s.tag {
			return wrongf("delivery %d behind delivery %d: tags must increase", d.Tag, s.tag)
		}
		s.tag = d.Tag
	}
	part := allowance{len(ds), bytes}
	s.granted, s.held = s.granted.minus(part), s.held.plus(part)
	s.parts = append(s.parts, part)
	s.ready = append(s.ready, ds...)
	s.tell()
	return nil
}

// take removes n deliveries from those that are ready. The lock is held.
func (s *subscription) take(n int) {
	clear(s.ready[:n])
	s.ready = s.ready[n:]
	s.held.deliveries -= n
	for n > 0 {
		first := &s.parts[0]
		taken := min(n, first.deliveries)
		n -= taken
		if first.deliveries -= taken; first.deliveries == 0 {
			s.held.bytes -= first.bytes
			s.parts = s.parts[1:]
		}
	}
	if len(s.ready) == 0 {
		s.ready, s.parts = nil, nil
	}
}

// grant lets the plugin send more, once half of what it may is used up.
func (s *subscription) grant() {
	s.mu.Lock()
	want := allowance{maxCredit.deliveries - s.held.deliveries, max(0, maxCredit.bytes-s.held.bytes)}
	more := want.minus(s.granted)
	if s.end != nil || more.deliveries < maxCredit.deliveries/2 && want.bytes-max(0, s.granted.bytes) < maxCredit.bytes/2 {
		s.mu.Unlock()
		return
	}
	s.granted = want
	s.mu.Unlock()
	// When that fails, so does what is received.
	_ = s.send(&pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Credit{Credit: &pluginpb.Credit{Deliveries: uint32(more.deliveries), Bytes: uint64(more.bytes)}}})
}

func (s *subscription) send(r *pluginpb.SourceRequest) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	return s.call.SendMsg(r)
}

// Receive implements [feed.Subscription].
func (s *subscription) Receive(ctx context.Context, dst []feed.Delivery, max int) ([]feed.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		s.mu.Lock()
		n, end, changed := min(max, len(s.ready)), s.end, s.changed
		if end != nil && !errors.Is(end, io.EOF) || s.closed {
			n = 0 // they come again
		}
		dst = append(dst, s.ready[:n]...)
		s.take(n)
		closed := s.closed
		s.mu.Unlock()
		switch {
		case n > 0:
			s.grant()
			return dst, nil
		case closed && end == nil:
			return dst, errors.New("the subscription is closed")
		case end != nil:
			return dst, end
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Settle implements [feed.Subscription].
func (s *subscription) Settle(ctx context.Context, settlements []feed.Settlement) error {
	s.mu.Lock()
	end := s.end
	s.mu.Unlock()
	if end != nil && !errors.Is(end, io.EOF) {
		return end
	}
	all := make([]*pluginpb.Settlement, len(settlements))
	made := make([]pluginpb.Settlement, len(settlements))
	for i, one := range settlements {
		made[i].Tag, made[i].Outcome = one.Tag, pluginpb.Outcome(one.Outcome)
		all[i] = &made[i]
	}
	answer, err := s.ask(ctx, &pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Settle{Settle: &pluginpb.Settle{Settlements: all}}})
	if err != nil {
		return err
	}
	return wire.FailureFrom(answer.GetSettled().GetFailure()).Err()
}

// answersTo maps questions to what answers them.
var answersTo = map[reflect.Type]reflect.Type{
	reflect.TypeFor[*pluginpb.SourceRequest_Subscribe]():   reflect.TypeFor[*pluginpb.SourceResponse_Subscribed](),
	reflect.TypeFor[*pluginpb.SourceRequest_Settle]():      reflect.TypeFor[*pluginpb.SourceResponse_Settled](),
	reflect.TypeFor[*pluginpb.SourceRequest_Describe]():    reflect.TypeFor[*pluginpb.SourceResponse_Original](),
	reflect.TypeFor[*pluginpb.SourceRequest_Unsubscribe](): reflect.TypeFor[*pluginpb.SourceResponse_Unsubscribed](),
}

// ask asks the plugin and waits for its answer. When ctx ends first the call is given
// up; when the time is up, the plugin is told that nobody waits any longer.
func (s *subscription) ask(ctx context.Context, question *pluginpb.SourceRequest) (*pluginpb.SourceResponse, error) {
	s.asking.Lock()
	defer s.asking.Unlock()
	defer s.stage.plugin.enter(false)()
	limit := s.stage.plugin.limits.Timeout
	waiting := &canceller{send: func() {
		_ = s.send(&pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Cancel{Cancel: &pluginpb.Cancel{}}})
	}}
	late := time.AfterFunc(limit, func() { waiting.cancel(notDone(s.stage, limit)) })
	defer late.Stop()
	tooLate := time.AfterFunc(limit+grace, func() {
		why := fmt.Sprintf("it did not answer within %v", limit+grace)
		s.late.Store(&why)
		s.call.cancel()
	})
	defer tooLate.Stop()
	stop := context.AfterFunc(ctx, func() {
		s.call.ending.Store(true)
		s.call.cancel()
	})
	defer stop()
	s.asked.Store(true)
	_ = s.send(question) // when that fails, so does what is received
	select {
	case answer := <-s.answers:
		cancelled(failureIn(answer), waiting.answered())
		if want, got := answersTo[reflect.TypeOf(question.Request)], reflect.TypeOf(answer.Response); got != want {
			why := wrongf("%v, when it was asked for %v", got, want).Error()
			s.late.Store(&why)
			s.call.cancel()
			<-s.over
			return nil, s.why()
		}
		return answer, nil
	case <-s.over:
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, s.why()
	}
}

// failureIn returns the failure that an answer tells of; nil when there is none.
func failureIn(answer *pluginpb.SourceResponse) *pluginpb.Failure {
	switch r := answer.Response.(type) {
	case *pluginpb.SourceResponse_Subscribed:
		return r.Subscribed.Failure
	case *pluginpb.SourceResponse_Settled:
		return r.Settled.Failure
	case *pluginpb.SourceResponse_Original:
		return r.Original.Failure
	case *pluginpb.SourceResponse_Unsubscribed:
		return r.Unsubscribed.Failure
	}
	return nil
}

// why is why it has ended.
func (s *subscription) why() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		return errors.New("the subscription is closed")
	}
	return s.end
}

// abandon waits for the end of a subscription that has failed.
func (s *subscription) abandon() {
	s.call.ending.Store(true)
	s.call.cancel()
	<-s.over
}

// Close implements [feed.Subscription].
func (s *subscription) Close() error {
	s.closing.Do(func() { s.closeErr = s.unsubscribe() })
	return s.closeErr
}

func (s *subscription) unsubscribe() error {
	s.mu.Lock()
	s.closed = true
	s.tell()
	s.mu.Unlock()
	answer, err := s.ask(context.Background(), &pluginpb.SourceRequest{Request: &pluginpb.SourceRequest_Unsubscribe{Unsubscribe: &pluginpb.Unsubscribe{}}})
	if err != nil {
		return nil //nolint:nilerr // the call has ended, which Receive tells, and with it what was unsettled is given back
	}
	<-s.over
	u := answer.GetUnsubscribed()
	err = wire.FailureFrom(u.Failure).Err()
	if u.SettledLost == 0 {
		return err
	}
	if err == nil {
		err = errors.New("the plugin does not say why")
	}
	return &feed.SettleLostError{Settled: int(u.SettledLost), Err: err}
}
