package feed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// gather takes deliveries from the source until a batch is full or its delay
// is over. It blocks for the first, but not beyond the moment at which
// something that is parked is due, or is to be given back.
func (r *runner) gather() error {
	messages, bytes := 0, Size(0)
	deadline, _ := r.park.nextDue()
	if at, ok := r.givesBack(); ok && (deadline.IsZero() || at.Before(deadline)) {
		deadline = at
	}
	for {
		n, size, err := r.receive(deadline, r.Batch.MaxMessages-messages)
		messages, bytes = messages+n, bytes+size
		switch {
		case err == nil:
		case r.soft.Err() != nil:
			return errStopped
		case errors.Is(err, context.DeadlineExceeded):
			return nil
		default:
			return err
		}
		if messages >= r.Batch.MaxMessages || bytes >= r.Batch.MaxBytes || r.Batch.MaxDelay <= 0 {
			return nil
		}
		if messages == n && n > 0 {
			if full := time.Now().Add(r.Batch.MaxDelay); deadline.IsZero() || full.Before(deadline) {
				deadline = full
			}
		}
	}
}

// receive takes at most limit deliveries and blocks for the first of them, but
// not beyond deadline unless that is zero.
func (r *runner) receive(deadline time.Time, limit int) (int, Size, error) {
	ctx := r.soft
	if err := ctx.Err(); err != nil {
		return 0, 0, err // also when the source would still hand something out
	}
	if !deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(r.soft, deadline)
		defer cancel()
	}
	var err error
	r.deliveries, err = r.sub.Receive(ctx, r.deliveries[:0], limit)
	n := len(r.deliveries)
	stored := false
	if r.progress != nil && n > 0 {
		var placeErr error
		if stored, placeErr = r.place(r.deliveries); placeErr != nil {
			clear(r.deliveries)
			return 0, 0, placeErr
		}
	}
	bytes := r.admit(r.deliveries)
	clear(r.deliveries)
	if stored {
		r.skipStored()
	}
	return n, bytes, err
}

// admit enters deliveries into the window and returns their payload bytes.
func (r *runner) admit(ds []Delivery) (bytes Size) {
	if len(ds) == 0 {
		return 0
	}
	now := time.Now()
	entries := make([]entry, len(ds))
	r.mu.Lock()
	first := r.received.enter(len(ds))
	for _, d := range ds {
		if d.Redelivered {
			r.counts.Redelivered++
		}
	}
	r.mu.Unlock()
	for i, d := range ds {
		e := &entries[i]
		// Each a nanosecond later, so that no two batches have the same time.
		*e = entry{number: first + uint64(i), tag: d.Tag, msg: d.Message, payload: d.Message.Payload, received: now.Add(time.Duration(i))}
		if r.ledger != nil {
			e.id, e.topic = d.Message.UUID, Topic(d.Message)
		}
		if !r.describer {
			e.metadata = maps.Clone(d.Message.Metadata)
		}
		r.window = append(r.window, e)
		r.inbox = append(r.inbox, e)
		bytes += Size(len(d.Message.Payload))
	}
	r.follow(entries)
	return bytes
}

// produce gives a message made of a delivery its place in the account.
func (r *runner) produce(e *entry, m *message.Message) *outgoing {
	r.mu.Lock()
	number := r.produced.enter(1)
	r.mu.Unlock()
	e.open++
	return &outgoing{number: number, msg: m, from: e}
}

// enqueue puts what the transforms made of a delivery behind what waits for
// the sink.
func (r *runner) enqueue(e *entry, msgs []*message.Message) {
	e.transformed = true
	if len(msgs) == 0 {
		return
	}
	if r.progress != nil {
		for _, m := range msgs {
			r.progress.made += Size(len(m.Payload))
		}
	}
	r.mu.Lock()
	number := r.produced.enter(len(msgs))
	r.mu.Unlock()
	e.open += len(msgs)
	e.lead(msgs)
	if len(msgs) == 1 {
		e.only = outgoing{number: number, msg: msgs[0], from: e}
		r.queue = append(r.queue, &e.only)
		return
	}
	made := make([]outgoing, len(msgs))
	for i, m := range msgs {
		made[i] = outgoing{number: number + uint64(i), msg: m, from: e}
		r.queue = append(r.queue, &made[i])
	}
}

// filter ends a message that a transform dropped on purpose.
func (r *runner) filter(e *entry, m *message.Message, reason string) {
	o := r.produce(e, m)
	r.note(o, Filtered, reason, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endOutgoing(o, Filtered, reason)
}

// condemn sends a message on its way to the quarantine.
func (r *runner) condemn(o *outgoing, stage string, err error) {
	r.condemned = append(r.condemned, condemned{out: o, stage: stage, err: err, time: time.Now()})
}

// endOutgoing notes how a produced message ended. The caller holds mu.
func (r *runner) endOutgoing(o *outgoing, outcome Outcome, label string) {
	r.produced.leave(o.number, outcome, label)
	o.from.open--
	o.from.end(outcome, label)
}

// settle tells the source about the deliveries that have ended, in one call.
// A delivery that ended but could not be settled keeps its outcome, and the
// broker will hand it out again.
func (r *runner) settle() error {
	r.writeLedger()
	if r.uncommitted() {
		return nil // also what was filtered waits: it is part of the range
	}
	r.settlements = r.settlements[:0]
	for _, e := range r.window {
		if e.ended() {
			r.settlements = append(r.settlements, Settlement{Tag: e.tag, Outcome: e.outcome})
		}
	}
	if len(r.settlements) == 0 {
		return nil
	}
	ctx := r.hard
	if ctx.Err() != nil { // what is done is still settled after the deadline
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
	}
	err := r.sub.Settle(ctx, r.settlements)
	if err == nil {
		r.tellTransforms()
	}
	r.endSpans(err)

	r.mu.Lock()
	defer r.mu.Unlock()
	rest := r.window[:0]
	for _, e := range r.window {
		if !e.ended() {
			rest = append(rest, e)
			continue
		}
		r.received.leave(e.number, e.outcome, e.label)
		*e = entry{} // one that is parked keeps the memory of those beside it
	}
	clear(r.window[len(rest):])
	clear(r.batch)
	r.window = rest
	r.received.trim()
	r.produced.trim()
	r.counts.Batches++
	if err != nil {
		r.counts.SettleLost += uint64(len(r.settlements))
		return fmt.Errorf("settle: %w", err)
	}
	r.reconnect.reset()
	return nil
}

// release closes the subscription, which gives back what is unsettled.
func (r *runner) release(cause error) {
	reason := r.reasonOf(cause)
	r.noteReturned(reason)
	r.endSpansReturned(reason)
	r.writeLedger() // payloads are the subscription's, and end with it
	var lost *SettleLostError
	if err := r.sub.Close(); err != nil {
		r.log.Debug("closing the subscription", "error", err)
		errors.As(err, &lost)
	}
	r.mu.Lock()
	if lost != nil {
		r.counts.SettleLost += uint64(lost.Settled)
	}
	for _, o := range r.queue {
		r.produced.leave(o.number, Returned, reason)
	}
	for _, c := range r.condemned {
		r.produced.leave(c.out.number, Returned, reason)
	}
	for _, e := range r.window {
		r.received.leave(e.number, Returned, reason)
	}
	r.received.trim()
	r.produced.trim()
	r.counts.Parked = 0
	r.mu.Unlock()
	r.window, r.inbox, r.queue, r.condemned = nil, nil, nil, nil
	r.steps, r.abreast = steps{}, nil
	if r.progress != nil {
		r.progress.inHand, r.progress.pending, r.progress.gaps = 0, 0, nil
	}
	r.park = newParkingLot(r.Route)
	r.sub = nil
}

// reasonOf says why deliveries are given back, and remembers when it is the
// drain deadline.
func (r *runner) reasonOf(cause error) string {
	reason := "source connection lost"
	var changed *changedError
	var end *endError
	switch {
	case errors.Is(cause, errPause):
		reason = r.waitsFor()
	case errors.Is(cause, errRenew):
		reason = "held for long"
	case errors.Is(cause, errInterrupted):
		reason = "stopped"
	case errors.As(cause, &changed):
		reason = "stream changed"
	case errors.As(cause, &end):
		reason = "route ended"
	case errors.Is(cause, errStopped):
		reason = "drain deadline"
		if len(r.window) > 0 {
			r.abandoned.Store(true)
		}
	}
	return reason
}
