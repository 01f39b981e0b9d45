package feed

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Delivery is one message as a source handed it out. It stays unsettled, and
// counts as in flight, until its tag is settled or its subscription closed.
type Delivery struct {
	// Message belongs to the route from the moment Receive returns. Its
	// payload bytes must stay as they are until the delivery is settled: a
	// transform replaces a payload, it never writes into it.
	Message *message.Message
	// Tag names the delivery within its subscription. Tags increase strictly
	// in the order of the deliveries.
	Tag uint64
	// Redelivered says that the broker has handed this message out before.
	Redelivered bool
}

// Outcome says how a delivery ended.
type Outcome uint8

// The outcomes of a delivery. The zero value is no outcome: still in flight.
const (
	// Delivered: every message made of the delivery is durable in the sink.
	Delivered Outcome = iota + 1
	// Filtered: a transform dropped it, with a reason that was counted.
	Filtered
	// Quarantined: it can never be delivered and stands in the quarantine.
	Quarantined
	// Returned: it went back to its source unsettled, and will come again.
	Returned
)

var outcomes = [...]string{"in flight", "delivered", "filtered", "quarantined", "returned"}

// String names the outcome as metrics and the ledger do.
func (o Outcome) String() string { return outcomes[o] }

// Settlement tells a source how one of its deliveries ended. Returned never
// occurs in one: what is returned goes back when the subscription closes.
type Settlement struct {
	Tag     uint64
	Outcome Outcome
}

// BatchSubscriber is the optional interface of a source that hands out whole
// batches.
type BatchSubscriber interface {
	// SubscribeBatch starts to consume topic; the empty topic stands for the
	// one that the stage was configured with. It blocks until the source has
	// been reached and returns an error when that failed; the route calls it
	// again with backoff, for ever. A *[ConfigError] or a [Permanent] error
	// says that no retry can help and ends the route.
	SubscribeBatch(ctx context.Context, topic string) (Subscription, error)
}

// Subscription is one period of consuming, for as long as one connection
// lives. All methods but Close are called by one goroutine.
type Subscription interface {
	// Receive appends to dst all deliveries that are there, at most max, in
	// the order of the source, and blocks until there is at least one. When
	// ctx ends first it returns dst as it was and the context's error.
	// Any other error ends the subscription: the route closes it and counts
	// what was unsettled as returned. io.EOF says that the source has
	// delivered all that it ever will.
	Receive(ctx context.Context, dst []Delivery, max int) ([]Delivery, error)

	// Settle acknowledges deliveries of this subscription, in the order of
	// their tags. A source settles adjacent ones in one step, but never a
	// delivery that is not listed. It may tell its broker somewhat later, to
	// tell of several at once, but before Close returns. An error ends the
	// subscription. s may be empty, which asks whether the subscription lives.
	// Settle must not retain s.
	Settle(ctx context.Context, s []Settlement) error

	// Close stops consuming and gives every unsettled delivery back to the
	// source, in order. A *[SettleLostError] says that settled ones come again,
	// too. Idempotent; safe to call at any time.
	Close() error
}

// BatchPublisher is the optional interface of a sink that takes whole batches.
type BatchPublisher interface {
	// PublishBatch writes b's messages in order, each to the topic in its
	// metadata (see [Topic]), and returns nil only when all of them are
	// durable downstream. A *[BatchError] says which messages failed; those
	// that it does not list are durable. Any other error leaves the outcome of
	// all of them unknown, and the route sends them again.
	// It blocks as long as it must, returns promptly when ctx ends, retries
	// nothing by itself, and retains neither b nor its messages. One call at a
	// time.
	PublishBatch(ctx context.Context, b *Batch) error
}

// Prober is the optional interface of a sink (or a quarantine) that can tell
// whether it would take messages now. A paused route resumes when Probe
// returns nil. Probe blocks until it knows or ctx ends.
type Prober interface {
	Probe(ctx context.Context) error
}

// Durability is the optional interface of a stage that may not be durable.
// Without it a [BatchPublisher] counts as durable; a plain Publisher must be
// declared so with [DurablePublisher].
type Durability interface {
	Durable() bool
}

// Original is a message as it came from its source, before any transform, so
// that it can be shown, replayed with identical bytes, and traced back.
type Original struct {
	Payload []byte
	// Format names the encoding of Properties, such as "amqp-0-9-1".
	Format string
	// Properties is a JSON document with the typed properties of the message;
	// its form is the source's own, stated in the source's package comment.
	Properties []byte
	// Origin says where it came from, such as "queue telemetry".
	Origin string
}

// Describer is the optional interface of a [Subscription] that can hand out an
// unsettled delivery as it came. It works after the connection has gone.
type Describer interface {
	Describe(tag uint64) (Original, error)
}

// QuarantineItem is a message that can never be delivered.
type QuarantineItem struct {
	Original
	Route  string
	Stage  string // the stage that gave it up, such as "bridge" or "mqtt"
	Reason string
	Time   time.Time
}

// Quarantine keeps messages that can never be delivered. When it cannot take
// one, the route pauses: nothing is dropped.
type Quarantine interface {
	// Put stores items, all or none, and returns nil only when they are
	// durable. Safe for concurrent use.
	Put(ctx context.Context, items []QuarantineItem) error
}
