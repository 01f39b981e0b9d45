package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// runner runs a route. One goroutine, its loop, owns all fields but those
// below mu; while a turn is carried, the handler's goroutine has them.
type runner struct {
	Route
	log        *slog.Logger
	quarantine Quarantine
	ledger     Ledger // nil without one
	tracer     Tracer // nil without one
	hop        Hop
	carrier    *carrier
	soft       context.Context // ends when the feed is to stop
	hard       context.Context // ends when the drain deadline has passed

	sub        Subscription
	describer  bool // sub describes its deliveries by itself
	subscribed bool // at least once: from then on every failure is retried

	window    []*entry    // unsettled deliveries, in order
	inbox     []*entry    // those of them that no transform has seen
	queue     []*outgoing // produced messages that are not durable, in order
	condemned []condemned // waiting for the quarantine
	park      parkingLot
	steps     steps     // of the first delivery of the inbox
	abreast   []steps   // of the first ones, when a transform takes batches
	batches   bool      // one does
	progress  *progress // in a stream; nil without one

	retry            backoff
	reconnect        backoff   // between subscriptions that settle nothing
	failingSince     time.Time // zero while work gets done
	unlogged         int       // quarantined, not logged yet
	firstUnlogged    condemned // the first of them
	firstTrace       string    // its trace, if it was followed
	loggedQuarantine time.Time
	panics           map[string]time.Time // when each place of one was last logged

	refused     error // why what is parked was refused in this turn
	probed      bool  // the sink has answered once
	hold        context.Context
	releaseHold context.CancelFunc

	// Reused between turns.
	deliveries  []Delivery
	messages    []*message.Message
	batch       []*outgoing
	settlements []Settlement
	ended       []Ended // the ledger does not know of yet
	spans       []Span

	mu       sync.Mutex
	logged   time.Time // when the state was last logged
	received *tally    // deliveries
	produced *tally
	counts   RouteStatus // state and counters; the accounts stand in the tallies

	abandoned atomic.Bool // something was given back because the drain deadline passed
}

func newRunner(r Route, opts Options) *runner {
	r = r.withDefaults()
	made := &runner{
		Route:      r,
		log:        opts.Logger.With("route", r.Name),
		quarantine: opts.Quarantine,
		ledger:     opts.Ledger,
		tracer:     opts.Tracer,
		carrier:    newCarrier(),
		park:       newParkingLot(r),
		retry:      backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay},
		reconnect:  backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay},
		received:   newTally(),
		produced:   newTally(),
		counts: RouteStatus{
			Name: r.Name, Source: r.SourceName, Sink: r.SinkName,
			State: StateStarting, Reason: "not started", Since: time.Now(),
		},
		panics:   map[string]time.Time{},
		progress: newProgress(r),
		batches:  slices.ContainsFunc(r.Transforms, func(t Transform) bool { return t.Batch != nil }),
	}
	made.hop = Hop{
		Feed: opts.Name, Route: r.Name, Source: r.SourceName, Sink: r.SinkName, From: r.From, To: r.To, Offsets: made.progress != nil,
	}
	if p := made.progress; p != nil {
		made.counts.Offsets = &OffsetStatus{Stream: p.stream, Committed: -1, Received: -1}
	}
	return made
}

// loop moves batches until the route is to stop, its source has no more, or it
// cannot work at all. It closes the carrier's channel, and with it the
// router's handler, when it ends.
func (r *runner) loop() error {
	defer close(r.carrier.messages)
	defer r.setState(StateStopped, "")
	defer func() {
		if r.releaseHold != nil {
			r.releaseHold()
		}
	}()
	for {
		if err := r.subscribe(); err != nil {
			if r.soft.Err() != nil {
				return nil
			}
			return err
		}
		err := r.consume()
		r.release(err)
		var end *endError
		var changed *changedError
		switch {
		case errors.As(err, &end):
			return fmt.Errorf("route %s: %w", r.Name, err)
		case errors.As(err, &changed):
			r.progress.changed = changed
			r.setState(StateStarting, fmt.Sprintf("source %s: %v", r.SourceName, err))
		case errors.Is(err, io.EOF):
			return nil
		case r.soft.Err() != nil:
			return nil
		case errors.Is(err, errPause):
			if !r.pause() {
				return nil
			}
		case errors.Is(err, errRenew):
			r.log.Info("deliveries given back before the broker's acknowledgement timeout", "held", r.MaxHold)
		default:
			r.setState(StateStarting, fmt.Sprintf("source %s: %v", r.SourceName, err))
			if !r.sleep(r.reconnect.next()) {
				return nil
			}
		}
	}
}

// Ends of a period of consuming that are no failure of the source.
var (
	errPause   = errors.New("the sink stays down")
	errRenew   = errors.New("deliveries were held for long")
	errStopped = errors.New("the feed stops")
	// errInterrupted is errStopped while a pending range is not read yet: the
	// next life reads it again.
	errInterrupted = errors.New("the feed stops before a range was read again that was not completed")
)

// subscribe reaches the source, again and again until it succeeds.
func (r *runner) subscribe() error {
	for {
		if err := r.soft.Err(); err != nil {
			return err
		}
		sub, err := r.open()
		if err == nil {
			r.sub, r.subscribed = sub, true
			_, r.describer = sub.(Describer)
			r.setState(StateRunning, "")
			return nil
		}
		if r.soft.Err() != nil {
			return r.soft.Err()
		}
		var config *ConfigError
		var end *endError
		if errors.As(err, &end) || !r.subscribed && (IsPermanent(err) || errors.As(err, &config)) {
			return fmt.Errorf("route %s: %w", r.Name, err)
		}
		r.setState(StateStarting, err.Error())
		if !r.sleep(r.reconnect.next()) {
			return r.soft.Err()
		}
	}
}

func (r *runner) open() (sub Subscription, err error) {
	if r.progress != nil {
		return r.openStream()
	}
	if s, ok := r.Source.(BatchSubscriber); ok {
		sub, err = s.SubscribeBatch(r.soft, r.Topic)
	} else {
		sub, err = subscribePlain(r.soft, r.Source, r.Topic)
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", r.SourceName, err)
	}
	return sub, nil
}

// consume runs turns until the subscription ends, for whatever reason. What is
// not settled then is the caller's to give back.
func (r *runner) consume() error {
	if !r.probed {
		// A sink that is not there shows at once, not with the first message.
		// The subscription came first: it may have declared the queue.
		if err := r.probe(); err != nil {
			r.setState(StateRetrying, err.Error())
			return errPause
		}
		r.probed = true
	}
	var ended error // the source has ended; what is in flight is still finished
	for {
		if r.soft.Err() != nil {
			r.setState(StateDraining, r.reason())
		}
		if ended == nil && r.wantsMore() {
			if err := r.gatherNext(); err != nil {
				ended = err
				if !errors.Is(err, io.EOF) && !errors.Is(err, errStopped) {
					return err // the deliveries are the broker's again
				}
			}
		}
		if ended != nil {
			switch {
			case len(r.window) == 0:
				return ended
			case len(r.inbox)+len(r.queue)+len(r.condemned) == 0 && !r.uncommitted():
				// A bug of the route. Giving them back is better than waiting
				// for ever for messages that nobody has.
				return fmt.Errorf("%d deliveries are unsettled, but no message of them is left", len(r.window))
			}
		}
		progress, err := r.turn()
		var end *endError
		if errors.As(err, &end) {
			return err
		}
		if settleErr := r.settle(); settleErr != nil {
			return settleErr
		}
		if hold := r.afterTurn(progress, err); hold != nil {
			return hold
		}
	}
}

// gatherNext takes what the next batch is made of.
func (r *runner) gatherNext() error {
	if r.progress != nil {
		return r.gatherRange()
	}
	return r.gather()
}

// uncommitted reports whether a range of a stream is in hand.
func (r *runner) uncommitted() bool { return r.progress != nil && r.progress.inHand > 0 }

// wantsMore reports whether new deliveries may be taken before the present
// ones are done: in wire order never, otherwise while few enough are parked
// and none is due.
func (r *runner) wantsMore() bool {
	if len(r.inbox) > 0 || len(r.condemned) > 0 {
		return false
	}
	if r.progress != nil {
		return !r.uncommitted() || !r.complete()
	}
	return len(r.queue) == 0 || !r.park.full(r.queue) && !r.anyDue()
}

// turn does one pass and reports whether it got anything done, and what it
// could not do.
func (r *runner) turn() (progress bool, err error) {
	if len(r.inbox) == 0 && len(r.condemned) == 0 && !r.anyDue() {
		if due, ok := r.park.nextDue(); ok {
			r.rest(time.Until(due))
		}
	}
	before := r.done()
	if len(r.inbox) > 0 || r.anyDue() || r.uncommitted() {
		t := &turn{r: r}
		r.refused = nil
		r.carrier.carry(r.holding(), t)
		err = t.err
	}
	err = errors.Join(err, r.quarantineCondemned())
	return r.done() != before, err
}

// done counts messages that sink or quarantine have taken, to see whether a
// turn got on. What was filtered says nothing about either.
func (r *runner) done() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.produced.account.Delivered + Total(r.produced.account.Quarantined)
}

// afterTurn decides what follows: go on at once, wait, or end the subscription.
func (r *runner) afterTurn(progress bool, err error) error {
	now := time.Now()
	reason := errors.Join(err, r.refused)
	switch {
	case progress || len(r.window) == 0:
		r.failingSince = time.Time{}
		r.retry.reset()
	case reason != nil && r.failingSince.IsZero():
		r.failingSince = now
	}
	if r.hard.Err() != nil {
		return errStopped
	}
	draining := r.soft.Err() != nil
	switch {
	case draining && reason != nil:
		r.setState(StateDraining, reason.Error())
	case draining:
		r.setState(StateDraining, "")
	case err != nil || !r.failingSince.IsZero():
		if reason != nil {
			r.setState(StateRetrying, reason.Error())
		}
	default:
		r.setState(StateRunning, "")
	}
	if !r.failingSince.IsZero() && now.Sub(r.failingSince) >= r.patience(draining) {
		return errPause
	}
	if held := r.checkHold(now); held != nil {
		return held
	}
	if err != nil {
		// Also after partial progress: a sink that takes a little at a time
		// must not be asked without a pause.
		r.rest(r.retry.next())
	}
	if r.hard.Err() != nil {
		return errStopped
	}
	return nil
}

// holding returns the context of a turn: the hard one, with a deadline that
// keeps a sink from holding a delivery beyond MaxHold. It lasts for many turns.
func (r *runner) holding() context.Context {
	latest := time.Now().Add(r.MaxHold)
	if len(r.window) > 0 {
		latest = r.window[0].received.Add(r.MaxHold)
	}
	if r.hold != nil && r.hold.Err() == nil {
		if deadline, ok := r.hold.Deadline(); ok && !deadline.After(latest) && time.Until(deadline) > r.MaxHold/2 {
			return r.hold
		}
	}
	if r.releaseHold != nil {
		r.releaseHold()
	}
	r.hold, r.releaseHold = context.WithDeadline(r.hard, latest)
	return r.hold
}

// checkHold ends the subscription when a delivery has been held for so long
// that the broker might soon take it back by itself.
func (r *runner) checkHold(now time.Time) error {
	if len(r.window) > 0 && now.Sub(r.window[0].received) >= r.MaxHold && r.soft.Err() == nil {
		return errRenew
	}
	return nil
}
