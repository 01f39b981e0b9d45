package feed

import (
	"slices"
	"sync"
	"time"
)

// Ledger is told what became of messages, so that people can be shown the way
// of each. What it is told is what the route believes: of what a destination
// holds it is no evidence.
type Ledger interface {
	// Record takes messages of one route that have ended, in the order in which
	// they did. The route's goroutine calls it before it settles the deliveries
	// that they were made of; several routes call it at the same time. It blocks
	// for a second at most, and has no error to return: a ledger counts itself
	// what it cannot keep, and the messages go their way. It retains neither
	// ended nor a payload.
	Record(hop *Hop, ended []Ended)
}

// Hop is what the messages of a route have in common. It never changes.
type Hop struct {
	Feed, Route  string
	Source, Sink string // names of the stages, such as amqp
	From, To     string // see [Route]
	Offsets      bool   // the tag of a delivery is its offset in a stream plus one
}

// Ended is a message that has ended, and the delivery that it was made of.
type Ended struct {
	ID      string
	Topic   string
	Payload []byte
	Outcome Outcome
	Reason  string  // why it was filtered, given back, or refused for ever, and by which stage
	Places  []Place // where it stands in the sink, as far as that is more than its topic
	Done    time.Time

	// Of the delivery, as it came.
	DeliveryID      string
	DeliveryTopic   string
	DeliveryPayload []byte
	Tag             uint64
	Received        time.Time
}

// Place is where a message stands in a sink.
type Place struct {
	Object   string `json:"object"`             // such as the name of a blob
	Position int64  `json:"position,omitempty"` // within, from 1 on: a line, a row; 0 when there is none
}

// Placed tells where message i of the batch stands, now that it is durable. A
// sink for which the topic does not say so calls it before PublishBatch returns.
// It is safe for concurrent use, and does nothing when nobody asks.
func (b *Batch) Placed(i int, at Place) {
	if b.placed != nil {
		b.placed(i, at)
	}
}

// wanted has a batch of the given messages tell where they are placed, if there
// is a ledger, or a tracer that follows any of them.
func (r *runner) wanted(b *Batch, batch []*outgoing, followed bool) {
	if r.ledger == nil && !followed {
		return
	}
	var mu sync.Mutex
	b.placed = func(i int, at Place) {
		mu.Lock()
		defer mu.Unlock()
		o := batch[i]
		if o.from.span != nil {
			o.from.span.Placed(at)
		}
		if r.ledger != nil && !slices.Contains(o.places, at) { // it may be told again after a lost answer
			o.places = append(o.places, at)
		}
	}
}

// note remembers for the ledger how a produced message ended.
func (r *runner) note(o *outgoing, outcome Outcome, reason string, done time.Time) {
	if r.ledger == nil {
		return
	}
	e := o.from
	r.ended = append(r.ended, Ended{
		ID: o.msg.UUID, Topic: Topic(o.msg), Payload: o.msg.Payload, Outcome: outcome, Reason: reason, Places: o.places, Done: done,
		DeliveryID: e.id, DeliveryTopic: e.topic, DeliveryPayload: e.payload, Tag: e.tag, Received: e.received,
	})
}

// refusal says why a message can never be delivered. What a transform says names
// it already.
func (r *runner) refusal(c condemned) string {
	if c.stage == r.SinkName {
		return "sink " + c.stage + ": " + firstLine(c.err)
	}
	return firstLine(c.err)
}

// noteReturned remembers for the ledger what is given back: produced messages,
// and deliveries that no transform is done with.
func (r *runner) noteReturned(reason string) {
	if r.ledger == nil {
		return
	}
	now := time.Now()
	for _, o := range r.queue {
		r.note(o, Returned, reason, now)
	}
	for _, c := range r.condemned {
		r.note(c.out, Returned, reason, now)
	}
	for _, e := range r.inbox {
		r.ended = append(r.ended, Ended{
			ID: e.id, Topic: e.topic, Payload: e.payload, Outcome: Returned, Reason: reason, Done: now,
			DeliveryID: e.id, DeliveryTopic: e.topic, DeliveryPayload: e.payload, Tag: e.tag, Received: e.received,
		})
	}
}

// writeLedger hands over what was noted, as long as its payloads are there.
func (r *runner) writeLedger() {
	if len(r.ended) == 0 {
		return
	}
	r.ledger.Record(&r.hop, r.ended)
	clear(r.ended) // retain no message beyond its turn
	r.ended = r.ended[:0]
}
