package feed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// runner runs a route. One goroutine, its loop, owns all fields but those
// below mu; while a turn is carried, the handler's goroutine has them.
type runner struct {
	Route
	feed       string
	log        *slog.Logger
	quarantine Quarantine
	carrier    *carrier
	soft       context.Context // ends when the feed is to stop
	hard       context.Context // ends when the drain deadline has passed

	sub        Subscription
	subscribed bool // at least once: from then on every failure is retried

	window    []*entry    // unsettled deliveries, in order
	inbox     []*entry    // those of them that no transform has seen
	queue     []*outgoing // produced messages that are not durable, in order
	condemned []condemned // waiting for the quarantine
	park      parkingLot
	steps     steps

	retry        backoff
	reconnect    backoff   // between subscriptions that settle nothing
	failingSince time.Time // zero while work gets done

	// Reused between turns.
	deliveries  []Delivery
	messages    []*message.Message
	batch       []*outgoing
	settlements []Settlement

	mu       sync.Mutex
	received *ledger // deliveries
	produced *ledger
	counts   RouteStatus // state and counters; the accounts stand in the ledgers

	abandoned atomic.Bool // something was given back because the drain deadline passed
}

func newRunner(r Route, opts Options) *runner {
	r = r.withDefaults()
	return &runner{
		Route:      r,
		feed:       opts.Name,
		log:        opts.Logger.With("route", r.Name),
		quarantine: opts.Quarantine,
		carrier:    newCarrier(),
		park:       newParkingLot(r),
		retry:      backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay},
		reconnect:  backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay},
		received:   newLedger(),
		produced:   newLedger(),
		counts: RouteStatus{
			Name: r.Name, Source: r.SourceName, Sink: r.SinkName,
			State: StateStarting, Reason: "not started", Since: time.Now(),
		},
	}
}

// loop moves batches until the route is to stop, its source has no more, or it
// cannot work at all. It closes the carrier's channel, and with it the
// router's handler, when it ends.
func (r *runner) loop() error {
	defer close(r.carrier.messages)
	defer r.setState(StateStopped, "")
	for {
		if err := r.subscribe(); err != nil {
			if r.soft.Err() != nil {
				return nil
			}
			return err
		}
		err := r.consume()
		r.release(err)
		switch {
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
			r.setState(StateRunning, "")
			return nil
		}
		if r.soft.Err() != nil {
			return r.soft.Err()
		}
		err = fmt.Errorf("source %s: %w", r.SourceName, err)
		var config *ConfigError
		if !r.subscribed && (IsPermanent(err) || errors.As(err, &config)) {
			return fmt.Errorf("route %s: %w", r.Name, err)
		}
		r.setState(StateStarting, err.Error())
		if !r.sleep(r.reconnect.next()) {
			return r.soft.Err()
		}
	}
}

func (r *runner) open() (Subscription, error) {
	if s, ok := r.Source.(BatchSubscriber); ok {
		return s.SubscribeBatch(r.soft, r.Topic)
	}
	return subscribePlain(r.soft, r.Source, r.Topic)
}

// consume runs turns until the subscription ends, for whatever reason. What is
// not settled then is the caller's to give back.
func (r *runner) consume() error {
	var ended error // the source has ended; what is in flight is still finished
	for {
		if ended == nil && r.wantsMore() {
			if err := r.gather(); err != nil {
				ended = err
				if !errors.Is(err, io.EOF) && !errors.Is(err, errStopped) {
					return err // the deliveries are the broker's again
				}
				if errors.Is(err, errStopped) {
					r.setState(StateDraining, "")
				}
			}
		}
		if ended != nil {
			switch {
			case len(r.window) == 0:
				return ended
			case len(r.inbox)+len(r.queue)+len(r.condemned) == 0:
				// A bug of the route. Giving them back is better than waiting
				// for ever for messages that nobody has.
				return fmt.Errorf("%d deliveries are unsettled, but no message of them is left", len(r.window))
			}
		}
		progress, err := r.turn()
		if settleErr := r.settle(); settleErr != nil {
			return settleErr
		}
		if hold := r.afterTurn(progress, err); hold != nil {
			return hold
		}
	}
}

// wantsMore reports whether new deliveries may be taken before the present
// ones are done: in wire order never, otherwise while few enough are parked
// and none is due.
func (r *runner) wantsMore() bool {
	if len(r.inbox) > 0 || len(r.condemned) > 0 {
		return false
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
	if len(r.inbox) > 0 || r.anyDue() {
		t := &turn{r: r}
		r.carrier.carry(r.hard, t)
		err = t.err
	}
	err = errors.Join(err, r.quarantineCondemned())
	return r.done() != before, err
}

// done counts messages that have ended, to see whether a turn got on.
func (r *runner) done() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, p := r.received.account, r.produced.account
	return p.Delivered + Total(a.Filtered) + Total(a.Quarantined) + Total(p.Quarantined)
}

// afterTurn decides what follows: go on at once, wait, or end the subscription.
func (r *runner) afterTurn(progress bool, err error) error {
	now := time.Now()
	switch {
	case err == nil:
		if !r.failingSince.IsZero() {
			r.failingSince = time.Time{}
		}
		r.retry.reset()
		if r.soft.Err() == nil {
			r.setState(StateRunning, "")
		}
	case progress:
		r.failingSince = time.Time{}
		r.retry.reset()
	case r.failingSince.IsZero():
		r.failingSince = now
	}
	if r.hard.Err() != nil {
		return errStopped
	}
	if err == nil {
		return r.checkHold(now)
	}
	if r.soft.Err() == nil {
		r.setState(StateRetrying, err.Error())
	}
	if !r.failingSince.IsZero() && now.Sub(r.failingSince) >= r.Retry.GiveBackAfter && r.soft.Err() == nil {
		return errPause
	}
	if err := r.checkHold(now); err != nil {
		return err
	}
	if !progress {
		r.rest(r.retry.next())
	}
	if r.hard.Err() != nil {
		return errStopped
	}
	return nil
}

// checkHold ends the subscription when a delivery has been held for so long
// that the broker might soon take it back by itself.
func (r *runner) checkHold(now time.Time) error {
	if len(r.window) > 0 && now.Sub(r.window[0].received) >= r.MaxHold && r.soft.Err() == nil {
		return errRenew
	}
	return nil
}

// pause waits until the sink (and the quarantine) would take messages again.
// It returns false when the feed stops meanwhile.
func (r *runner) pause() bool {
	_, reason := r.state()
	r.setState(StatePaused, reason)
	wait := backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay}
	if _, ok := r.Sink.(Prober); !ok {
		wait.first = wait.longest // nothing to ask: a try is the probe
	}
	for {
		if !r.sleep(wait.next()) {
			return false
		}
		err := r.probe()
		if err == nil {
			r.failingSince = time.Time{}
			r.retry.reset()
			return true
		}
		if r.soft.Err() != nil {
			return false
		}
		r.setState(StatePaused, err.Error())
	}
}

// probe asks sink and quarantine whether they would take messages now.
func (r *runner) probe() error {
	ctx, cancel := context.WithTimeout(r.soft, max(r.Retry.MaxDelay, time.Second))
	defer cancel()
	if p, ok := r.Sink.(Prober); ok {
		if err := p.Probe(ctx); err != nil {
			return fmt.Errorf("sink %s: %w", r.SinkName, err)
		}
	}
	if p, ok := r.quarantine.(Prober); ok {
		if err := p.Probe(ctx); err != nil {
			return fmt.Errorf("quarantine: %w", err)
		}
	}
	return nil
}

// sleep waits for d and returns false when the feed is to stop first.
func (r *runner) sleep(d time.Duration) bool {
	return sleep(r.soft, d)
}

// rest waits for d between two tries; while the feed drains, only its deadline
// cuts the wait short.
func (r *runner) rest(d time.Duration) {
	if r.soft.Err() != nil {
		sleep(r.hard, d)
		return
	}
	sleep(r.soft, d)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// setState notes the state, and logs it when it changes; not each reason, which
// may be another with every try.
func (r *runner) setState(s State, reason string) {
	r.mu.Lock()
	before := r.counts.State
	if before != s {
		r.counts.Since = time.Now()
	}
	r.counts.State, r.counts.Reason = s, reason
	r.mu.Unlock()
	if before == s {
		return
	}
	level := slog.LevelInfo
	if reason != "" {
		level = slog.LevelWarn
		reason, _, _ = strings.Cut(reason, "\n") // no stack of a panic
	}
	r.log.Log(context.Background(), level, "route is "+string(s), "before", before, "reason", reason)
}

func (r *runner) state() (State, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts.State, r.counts.Reason
}

// status returns a snapshot in which both accounts are of one moment.
func (r *runner) status() RouteStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.counts
	s.Ready = s.State == StateRunning
	s.Deliveries = r.received.snapshot()
	s.Produced = r.produced.snapshot()
	return s
}
