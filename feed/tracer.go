package feed

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Tracer follows some of the deliveries on their way through a route. Several
// routes call it at the same time. It must not block, and has no error to
// return: what it cannot tell anybody, it counts itself.
type Tracer interface {
	// Follow is asked about each delivery, before any transform sees it. nil says
	// that it is not followed. It changes nothing of the message.
	Follow(hop *Hop, m *message.Message, received time.Time) Span
	// Published tells of a call of the sink that had messages of deliveries that
	// are followed: each span once, in order, and how many messages there were in
	// all. It retains no slice.
	Published(hop *Hop, spans []Span, messages int, began time.Time, err error)
}

// Span is the time for which a route has a delivery. Its methods are called
// by one goroutine at a time.
type Span interface {
	// Lead writes into a message made of the delivery what makes those behind the
	// sink go on with the trace; index counts those of the delivery from 0. Its
	// metadata is not nil.
	Lead(index int, m *message.Message)
	// Placed tells where a message made of the delivery stands in the sink.
	Placed(at Place)
	// Refused tells why a message made of the delivery can never be delivered.
	Refused(reason string)
	// End is the last call: the delivery was settled, or given back.
	End(outcome Outcome, reason string)
	// TraceID names the trace in logs.
	TraceID() string
}

// follow asks the tracer about deliveries that have just been admitted.
func (r *runner) follow(entries []entry) {
	if r.tracer == nil {
		return
	}
	for i := range entries {
		e := &entries[i]
		e.span = r.tracer.Follow(&r.hop, e.msg, e.received)
	}
}

// lead has the messages that were made of a delivery go on with its trace.
func (e *entry) lead(msgs []*message.Message) {
	if e.span == nil {
		return
	}
	for i, m := range msgs {
		if m.Metadata == nil {
			m.Metadata = make(message.Metadata, 1)
		}
		e.span.Lead(i, m)
	}
}

// refused tells why a message made of the delivery went to the quarantine.
func (e *entry) refused(reason string) {
	if e.span != nil {
		e.span.Refused(reason)
	}
}

// traceID names the trace of the delivery; empty when nobody follows it.
func (e *entry) traceID() string {
	if e.span == nil {
		return ""
	}
	return e.span.TraceID()
}

// publish hands a batch to the sink. Ledger and tracer learn what they asked for.
func (r *runner) publish(ctx context.Context, b *Batch, batch []*outgoing) error {
	spans := r.followed(batch)
	r.wanted(b, batch, len(spans) > 0)
	began := time.Now()
	err := publishBatch(ctx, r.Sink, b)
	r.logPanic(r.SinkName, err)
	if len(spans) > 0 {
		r.tracer.Published(&r.hop, spans, len(batch), began, err)
		clear(spans) // retain no delivery beyond its turn
	}
	return err
}

// followed returns the spans of the deliveries that messages were made of.
func (r *runner) followed(batch []*outgoing) []Span {
	r.spans = r.spans[:0]
	if r.tracer == nil {
		return nil
	}
	var last *entry
	for _, o := range batch {
		if o.from != last && o.from.span != nil { // messages of a delivery stand together
			r.spans = append(r.spans, o.from.span)
		}
		last = o.from
	}
	return r.spans
}

// endSpans ends those of deliveries that have just been settled, or could not be.
func (r *runner) endSpans(settled error) {
	if r.tracer == nil {
		return
	}
	for _, e := range r.window {
		if e.span == nil || !e.ended() {
			continue
		}
		if settled != nil {
			e.span.Refused("settle: " + firstLine(settled))
		}
		e.span.End(e.outcome, e.label)
	}
}

// endSpansReturned ends all that are open: what they are of is given back.
func (r *runner) endSpansReturned(reason string) {
	if r.tracer == nil {
		return
	}
	for _, e := range r.window {
		if e.span != nil {
			e.span.End(Returned, reason)
		}
	}
}
