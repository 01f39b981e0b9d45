package amqp

import (
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// QueueType is the kind of a declared queue.
type QueueType string

// The queue types.
const (
	QueueQuorum  QueueType = "quorum"
	QueueClassic QueueType = "classic"
	// QueueStream keeps what was read, up to MaxBytes and MaxAge.
	QueueStream QueueType = "stream"
)

// Values returns all queue types.
func (QueueType) Values() []string {
	return []string{string(QueueQuorum), string(QueueClassic), string(QueueStream)}
}

// ExchangeType is the kind of a declared exchange.
type ExchangeType string

// The exchange types.
const (
	ExchangeTopic   ExchangeType = "topic"
	ExchangeDirect  ExchangeType = "direct"
	ExchangeFanout  ExchangeType = "fanout"
	ExchangeHeaders ExchangeType = "headers"
)

// Values returns all exchange types.
func (ExchangeType) Values() []string {
	return []string{string(ExchangeTopic), string(ExchangeDirect), string(ExchangeFanout), string(ExchangeHeaders)}
}

// Overflow is what a full queue does.
type Overflow string

// What a full queue does.
const (
	// OverflowReject refuses new messages: the publisher is told, by a
	// negative confirm, and keeps them.
	OverflowReject Overflow = "reject-publish"
	// OverflowDropHead drops the oldest messages.
	OverflowDropHead Overflow = "drop-head"
)

// Values returns all ways.
func (Overflow) Values() []string { return []string{string(OverflowReject), string(OverflowDropHead)} }

// DeadLetterStrategy is how safely a quorum queue hands over dead letters.
type DeadLetterStrategy string

// The strategies.
const (
	AtLeastOnce DeadLetterStrategy = "at-least-once"
	AtMostOnce  DeadLetterStrategy = "at-most-once"
)

// Values returns all strategies.
func (DeadLetterStrategy) Values() []string {
	return []string{string(AtLeastOnce), string(AtMostOnce)}
}

// Declare describes the queue of a source and what belongs to it. Empty fields
// take the defaults that their documentation names.
type Declare struct {
	Type                 QueueType     `yaml:"type" doc:"Queue type: quorum (default), classic or stream."`
	Transient            bool          `yaml:"transient" doc:"Declare a classic queue that does not survive a restart of the broker."`
	SingleActiveConsumer bool          `yaml:"singleActiveConsumer" doc:"Let one consumer at a time receive, the others stand by."`
	Exchange             Exchange      `yaml:"exchange" doc:"Exchange to declare and bind the queue to."`
	RoutingKeys          []string      `yaml:"routingKeys" doc:"Routing keys that bind the queue to exchange."`
	Bindings             []Binding     `yaml:"bindings" doc:"Further bindings, to exchanges that exist."`
	Shards               Shards        `yaml:"shards" doc:"Spread what is bound over several queues by a hash of the routing key: the queue is one of them."`
	MaxLength            int64         `yaml:"maxLength" doc:"Most messages in the queue; 0 is no limit."`
	MaxBytes             feed.Size     `yaml:"maxBytes" doc:"Most bytes of payload in the queue; a stream then drops its oldest segments; 0 is no limit."`
	MaxAge               time.Duration `yaml:"maxAge" doc:"How long a stream keeps a message, in whole seconds; 0 is no limit."`
	SegmentBytes         feed.Size     `yaml:"segmentBytes" doc:"Size of a stream's files, the unit in which it drops old messages; 0 leaves it to the broker."`
	Overflow             Overflow      `yaml:"overflow" doc:"What a full queue does: reject-publish (default) or drop-head, which loses the oldest messages."`
	DeadLetter           DeadLetter    `yaml:"deadLetter" doc:"Where messages go that the broker gives up, such as expired ones."`
}

// Exchange is an exchange to declare.
type Exchange struct {
	Name      string       `yaml:"name" doc:"Name of the exchange; empty declares none."`
	Type      ExchangeType `yaml:"type" doc:"Exchange type: topic (default), direct, fanout or headers."`
	Transient bool         `yaml:"transient" doc:"Declare an exchange that does not survive a restart of the broker."`
}

// kind returns the type with its default.
func (e Exchange) kind() string {
	if e.Type == "" {
		return string(ExchangeTopic)
	}
	return string(e.Type)
}

// Binding binds the queue to an exchange.
type Binding struct {
	Exchange   string `yaml:"exchange" doc:"Exchange to bind to."`
	RoutingKey string `yaml:"routingKey" doc:"Routing key, or pattern, of the binding."`
}

// Shards spreads messages over several queues so that all of one routing key
// go to the same one. The bindings of [Declare] then bind the shards' exchange
// instead of the queue.
type Shards struct {
	Exchange string   `yaml:"exchange" doc:"Exchange of the type x-modulus-hash to declare in front of the shards; empty declares none."`
	Queues   []string `yaml:"queues" doc:"All shards, the source's own queue among them: each is declared like it; the list must be the same wherever one of them is read."`
}

// DeadLetter says where given-up messages go.
type DeadLetter struct {
	Exchange   string             `yaml:"exchange" doc:"Dead-letter exchange; empty: given-up messages are dropped."`
	Queue      string             `yaml:"queue" doc:"Queue to declare for the dead letters, bound to the exchange, which is then declared too, as a durable fanout."`
	RoutingKey string             `yaml:"routingKey" doc:"Routing key of the dead letters; empty keeps each message's own."`
	Strategy   DeadLetterStrategy `yaml:"strategy" doc:"at-least-once (default for quorum queues) or at-most-once."`
}

// bindings returns all bindings, those by routingKeys first.
func (d *Declare) bindings() []Binding {
	var all []Binding
	for _, k := range d.RoutingKeys {
		all = append(all, Binding{Exchange: d.Exchange.Name, RoutingKey: k})
	}
	return append(all, d.Bindings...)
}

// stream reports whether d declares a stream; a nil d declares nothing.
func (d *Declare) stream() bool { return d != nil && d.Type == QueueStream }

func (d *Declare) quorum() bool { return d.Type == QueueQuorum || d.Type == "" }

func (d *Declare) overflow() Overflow {
	if d.Overflow == "" {
		return OverflowReject
	}
	return d.Overflow
}

// atLeastOnce reports whether dead letters are handed over safely. Only quorum
// queues can.
func (d *Declare) atLeastOnce() bool {
	return d.DeadLetter.Exchange != "" && d.quorum() && d.DeadLetter.Strategy != AtMostOnce
}

func oneOf[T ~string](v T, all []string) bool {
	for _, a := range all {
		if string(v) == a {
			return true
		}
	}
	return v == "" // takes the default
}

func (p *problems) checkEnum(key, value string, all []string) {
	if !oneOf(value, all) {
		p.add(key, fmt.Sprintf("%q is unknown", value), fmt.Sprintf("use one of %v", all))
	}
}

func (p *problems) checkDeclare(d *Declare, queue string) {
	p.checkEnum("declare.type", string(d.Type), d.Type.Values())
	p.checkEnum("declare.exchange.type", string(d.Exchange.Type), d.Exchange.Type.Values())
	p.checkEnum("declare.overflow", string(d.Overflow), d.Overflow.Values())
	p.checkEnum("declare.deadLetter.strategy", string(d.DeadLetter.Strategy), d.DeadLetter.Strategy.Values())
	p.checkName("declare.exchange.name", d.Exchange.Name)
	p.checkName("declare.deadLetter.exchange", d.DeadLetter.Exchange)
	p.checkName("declare.deadLetter.queue", d.DeadLetter.Queue)
	p.checkName("declare.deadLetter.routingKey", d.DeadLetter.RoutingKey)
	if d.Transient && d.quorum() {
		p.add("declare.transient", "quorum queues are always durable", "remove it, or use type: classic")
	}
	if d.MaxLength < 0 {
		p.add("declare.maxLength", "is negative", "use 0 for no limit")
	}
	if d.MaxBytes < 0 {
		p.add("declare.maxBytes", "is negative", "use 0 for no limit")
	}
	if len(d.RoutingKeys) > 0 && d.Exchange.Name == "" {
		p.add("declare.routingKeys", "bind to declare.exchange, which has no name", "set declare.exchange.name, or use declare.bindings")
	}
	for i, k := range d.RoutingKeys {
		p.checkName(fmt.Sprintf("declare.routingKeys[%d]", i), k)
	}
	for i, b := range d.Bindings {
		key := fmt.Sprintf("declare.bindings[%d]", i)
		if b.Exchange == "" {
			p.add(key+".exchange", "is missing", "name the exchange; the default exchange takes no bindings")
		}
		p.checkName(key+".exchange", b.Exchange)
		p.checkName(key+".routingKey", b.RoutingKey)
	}
	p.checkStream(d)
	p.checkShards(d, queue)
	dl := d.DeadLetter
	if dl.Exchange == "" && (dl.Queue != "" || dl.RoutingKey != "" || dl.Strategy != "") {
		p.add("declare.deadLetter.exchange", "is missing", "name the dead-letter exchange")
	}
	if dl.Exchange != "" && dl.Strategy == AtLeastOnce && !d.quorum() {
		p.add("declare.deadLetter.strategy", "classic queues hand over dead letters at most once", "use type: quorum, or strategy: at-most-once")
	}
	if d.atLeastOnce() && d.overflow() != OverflowReject {
		p.add("declare.overflow", "at-least-once dead letters need reject-publish", "remove overflow, or use deadLetter.strategy: at-most-once")
	}
}

// checkStream checks the keys that only streams have, and those that they have
// not.
func (p *problems) checkStream(d *Declare) {
	if !d.stream() {
		if d.MaxAge != 0 {
			p.add("declare.maxAge", "is a setting of streams", "remove it, or use type: stream")
		}
		if d.SegmentBytes != 0 {
			p.add("declare.segmentBytes", "is a setting of streams", "remove it, or use type: stream")
		}
		return
	}
	for _, of := range []struct {
		key string
		set bool
	}{
		{"transient", d.Transient}, {"singleActiveConsumer", d.SingleActiveConsumer}, {"maxLength", d.MaxLength != 0}, {"overflow", d.Overflow != ""},
		{"deadLetter", d.DeadLetter != DeadLetter{}}, {"shards", d.Shards.Exchange != "" || len(d.Shards.Queues) > 0},
	} {
		if of.set {
			p.add("declare."+of.key, "is a setting that streams do not have", "remove it; maxBytes and maxAge bound a stream, by dropping its oldest messages")
		}
	}
	if d.MaxAge < 0 || d.MaxAge%time.Second != 0 {
		p.add("declare.maxAge", fmt.Sprintf("%v is no number of whole seconds", d.MaxAge), "write a duration such as 168h, or 0 for no limit")
	}
	if d.SegmentBytes < 0 || d.SegmentBytes > maxSegment {
		p.add("declare.segmentBytes", fmt.Sprintf("%v is not between 1B and %v", d.SegmentBytes, feed.Size(maxSegment)), "write a size such as 100MiB, or 0 for the broker's default")
	}
}

// maxSegment is the largest size of a segment that RabbitMQ takes.
const maxSegment = 3_000_000_000

// checkShards checks the shards of a source of queue, which is empty when the
// queue is to be given as a topic.
func (p *problems) checkShards(d *Declare, queue string) {
	const queues = "declare.shards.queues"
	s := d.Shards
	p.checkName("declare.shards.exchange", s.Exchange)
	switch {
	case s.Exchange == "" && len(s.Queues) == 0:
		return
	case s.Exchange == "":
		p.add("declare.shards.exchange", "is missing", "name the exchange that spreads the messages, such as telemetry.shards")
	case s.Exchange == d.Exchange.Name:
		p.add("declare.shards.exchange", "is also declare.exchange", "use two names: one exchange takes what devices publish, the other spreads it")
	}
	if len(s.Queues) < 2 {
		p.add(queues, fmt.Sprintf("lists %d", len(s.Queues)), "list all shards, two at least, or remove declare.shards")
	}
	seen := map[string]bool{}
	for i, q := range s.Queues {
		key := fmt.Sprintf("%s[%d]", queues, i)
		switch {
		case q == "":
			p.add(key, "is empty", "name a queue")
		case seen[q]:
			p.add(key, fmt.Sprintf("%q is listed twice", q), "remove one")
		}
		p.checkName(key, q)
		seen[q] = true
	}
	if queue != "" && len(s.Queues) > 0 && !seen[queue] {
		*p = append(*p, d.notAShard(queue))
	}
	if !d.SingleActiveConsumer {
		p.add("declare.singleActiveConsumer", "is off, and two consumers of a shard would break the order that shards are for", "set it to true, or use one queue for all consumers")
	}
}
