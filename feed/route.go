package feed

import (
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Order says what a route promises about the order of its messages.
type Order string

// The orders.
const (
	// OrderWire sends messages in source order, pipelined. After a lost
	// connection all that is not acknowledged is sent again in the same order,
	// so that first occurrences never go backwards. A message that the sink
	// refuses transiently after a later one of its key was accepted is sent
	// again and counted as reordered.
	OrderWire Order = "wire"
	// OrderKey is strict: one message per key is in flight at a time, and
	// different keys go together. A failing key parks its messages while the
	// other keys go on. A call of the sink has one message of each key at most:
	// behind a transform that makes many messages of one it is slow, and a
	// delivery of which more are made than MaxHold has time for never ends.
	OrderKey Order = "key"
	// OrderNone parks each failing message by itself while all others go on.
	OrderNone Order = "none"
)

// Values returns all orders.
func (Order) Values() []string {
	return []string{string(OrderWire), string(OrderKey), string(OrderNone)}
}

// BatchLimits says when a batch goes to the sink. Without a MaxDelay it goes
// as soon as the sink is free.
type BatchLimits struct {
	MaxMessages int           `yaml:"maxMessages" doc:"Most messages of a batch."`
	MaxBytes    Size          `yaml:"maxBytes" doc:"Payload bytes after which a batch takes no further message."`
	MaxDelay    time.Duration `yaml:"maxDelay" doc:"How long the oldest message of a batch may wait for the batch to fill; 0 sends as soon as the sink is free."`
}

// RetryPolicy says how a route behaves while its sink refuses.
type RetryPolicy struct {
	InitialDelay  time.Duration `yaml:"initialDelay" doc:"Pause before the first retry; it doubles with each further one, with jitter."`
	MaxDelay      time.Duration `yaml:"maxDelay" doc:"Longest pause between two retries or probes."`
	GiveBackAfter time.Duration `yaml:"giveBackAfter" doc:"How long a sink may keep failing before the route gives its deliveries back to the source and pauses until a probe succeeds."`
}

// ParkLimits bound what order key and order none set aside.
type ParkLimits struct {
	PerKey   int `yaml:"perKey" doc:"Most messages of one failing key that wait while other keys go on; beyond it the route takes no new messages."`
	PerRoute int `yaml:"perRoute" doc:"Most messages of all failing keys together that wait while other keys go on."`
}

// The defaults of a route.
var (
	DefaultBatchLimits = BatchLimits{MaxMessages: 1000, MaxBytes: 4 * MiB}
	DefaultRetryPolicy = RetryPolicy{InitialDelay: 100 * time.Millisecond, MaxDelay: 10 * time.Second, GiveBackAfter: 30 * time.Second}
	DefaultParkLimits  = ParkLimits{PerKey: 100, PerRoute: 1000}
)

// Route leads from one source through transforms to one sink.
type Route struct {
	// Name identifies the route in logs, metrics and the quarantine.
	Name string

	// Source is a [BatchSubscriber], an [OffsetSubscriber] or a plain
	// Subscriber. The feed closes it.
	Source message.Subscriber
	// Topic is what to subscribe to; sources made from a configuration know
	// it, and leave it empty.
	Topic string

	// Transforms run in this order. The feed closes them.
	Transforms []Transform

	// Sink is a [BatchPublisher], or a plain Publisher that was declared
	// durable with [DurablePublisher]. The feed closes it.
	Sink message.Publisher

	// SourceName and SinkName name the stages in logs, reasons and metrics,
	// such as "amqp". Empty: "source" and "sink".
	SourceName, SinkName string

	// From and To say to the ledger where Source reads and Sink writes, such as
	// "amqp://broker/telemetry", without secrets. They may be empty.
	From, To string

	// Order is OrderWire when empty.
	Order Order
	// Key returns what Order keeps together. Nil: the message's topic.
	Key func(*message.Message) string

	// Zero fields of the following take the defaults.
	Batch BatchLimits
	Retry RetryPolicy
	Park  ParkLimits

	// MaxHold bounds how long a delivery is held before all are given back and
	// taken again, so that the broker never takes one back by itself. It must
	// stay well below the broker's acknowledgement timeout (30 min in
	// RabbitMQ). 10 min when zero.
	MaxHold time.Duration

	// AllowLoss permits a sink that is not durable, such as MQTT QoS 0.
	AllowLoss bool
}

// defaultSinkName is the name of a sink that has none.
const defaultSinkName = "sink"

// withDefaults fills zero fields.
func (r Route) withDefaults() Route {
	setDefault(&r.SourceName, "source")
	setDefault(&r.SinkName, defaultSinkName)
	setDefault(&r.Order, OrderWire)
	setDefault(&r.Batch.MaxMessages, DefaultBatchLimits.MaxMessages)
	setDefault(&r.Batch.MaxBytes, DefaultBatchLimits.MaxBytes)
	setDefault(&r.Retry.InitialDelay, DefaultRetryPolicy.InitialDelay)
	setDefault(&r.Retry.MaxDelay, DefaultRetryPolicy.MaxDelay)
	setDefault(&r.Retry.GiveBackAfter, DefaultRetryPolicy.GiveBackAfter)
	setDefault(&r.Park.PerKey, DefaultParkLimits.PerKey)
	setDefault(&r.Park.PerRoute, DefaultParkLimits.PerRoute)
	setDefault(&r.MaxHold, 10*time.Minute)
	if r.Key == nil {
		r.Key = Topic
	}
	if _, batches := r.Sink.(BatchPublisher); r.Sink != nil && !batches && r.AllowLoss {
		r.Sink = DurablePublisher(r.Sink) // not durable, and allowed not to be
	}
	return r
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// validate reports what would make the route lose messages or never work.
func (r Route) validate() error {
	var errs []error
	bad := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("route %q: "+format, append([]any{r.Name}, a...)...))
	}
	if r.Name == "" {
		bad("has no name")
	}
	if r.Source == nil {
		bad("has no source")
	}
	if r.Sink == nil {
		bad("has no sink")
	}
	switch r.Order {
	case OrderWire, OrderKey, OrderNone:
	default:
		bad("order %q is none of wire, key, none", string(r.Order))
	}
	for i, t := range r.Transforms {
		if (t.Func == nil) == (t.Batch == nil) {
			bad("transform %d needs exactly one of Func and Batch", i)
		}
	}
	if r.Batch.MaxMessages < 0 || r.Batch.MaxBytes < 0 || r.Batch.MaxDelay < 0 {
		bad("batch limits must not be negative")
	}
	if held := r.Batch.MaxDelay + r.Retry.GiveBackAfter; held >= r.MaxHold {
		bad("a delivery may be held for %v (Batch.MaxDelay and Retry.GiveBackAfter together), but MaxHold is %v", held, r.MaxHold)
	}
	if r.Retry.InitialDelay < 0 || r.Retry.MaxDelay < r.Retry.InitialDelay {
		bad("retry.maxDelay must not be below retry.initialDelay")
	}
	r.checkOffsets(bad)
	if r.Sink != nil {
		for _, s := range sinksOf(r.Sink) {
			if _, batches := s.(BatchPublisher); !batches {
				bad("the sink %T is a plain Publisher: declare it with feed.DurablePublisher when its Publish returns nil only for what is durable; otherwise implement feed.BatchPublisher, or set AllowLoss", s)
			}
		}
		if d, ok := r.Sink.(Durability); ok && !d.Durable() && !r.AllowLoss {
			name := r.SinkName
			if name == defaultSinkName { // nobody has named it
				name = fmt.Sprintf("%T", r.Sink)
			}
			bad("the sink %s is not durable: messages that it has taken may be lost; set AllowLoss if that is acceptable", name)
		}
	}
	return errors.Join(errs...)
}

// Close closes the stages of a route that no feed has taken: a feed closes those
// of its own.
func (r Route) Close() error {
	errs := []error{r.closeTransforms()}
	if r.Source != nil {
		errs = append(errs, r.Source.Close())
	}
	if r.Sink != nil {
		errs = append(errs, r.Sink.Close())
	}
	return errors.Join(errs...)
}
