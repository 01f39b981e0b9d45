package capacity

import (
	"cmp"
	"slices"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/digits"
	"github.com/kraft-edge/datafeed/stages/amqp"
)

// broker is what is known of RabbitMQ.
type broker struct {
	queues   map[string]*queue
	policies []policy
	wal      feed.Size // raft.wal_max_size_bytes
	// routes lists for each exchange the queues from which routes fill it.
	routes map[string][]string
}

// queue is one of the broker's, from feeds and definitions together.
type queue struct {
	name       string
	kind       amqp.QueueType
	known      bool // what it is was declared somewhere
	limits     limits
	batches    bool     // it holds batches, not readings
	dead       bool     // it holds what others have given up
	shards     int      // queues that share the load with it, itself included
	exchanges  []string // bound to it
	deadLetter string   // exchange
}

// limits are the bounds of a queue; zero is none.
type limits struct {
	bytes, segment feed.Size
	messages       int64
	age            time.Duration
	overflow       amqp.Overflow
}

// tighten takes over what is tighter, as RabbitMQ does with a policy.
func (l *limits) tighten(o limits) {
	l.bytes = tighter(l.bytes, o.bytes)
	l.messages = tighter(l.messages, o.messages)
	l.age = tighter(l.age, o.age)
	if l.segment == 0 {
		l.segment = o.segment
	}
	if l.overflow == "" {
		l.overflow = o.overflow
	}
}

func tighter[T feed.Size | int64 | time.Duration](a, b T) T {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}

func newBroker() broker {
	return broker{queues: make(map[string]*queue), wal: walSize, routes: make(map[string][]string)}
}

// queue returns the queue of a name, which is made when there is none.
func (b *broker) queue(name string) *queue {
	q := b.queues[name]
	if q == nil {
		q = &queue{name: name, shards: 1}
		b.queues[name] = q
	}
	return q
}

// declared notes what a feed declares.
func (q *queue) declared(d *amqp.Declare) {
	q.known = true
	q.kind = cmp.Or(d.Type, amqp.QueueQuorum)
	q.limits.tighten(limits{d.MaxBytes, d.SegmentBytes, d.MaxLength, d.MaxAge, cmp.Or(d.Overflow, amqp.OverflowReject)})
	q.deadLetter = d.DeadLetter.Exchange
	for _, k := range d.Bindings {
		q.exchanges = append(q.exchanges, k.Exchange)
	}
	if d.Exchange.Name != "" {
		q.exchanges = append(q.exchanges, d.Exchange.Name)
	}
}

// unknown lists the queues of which feeds read and nothing else is known.
func (b *broker) unknown() []string {
	var names []string
	for _, q := range b.queues {
		if !q.known {
			names = append(names, q.name)
		}
	}
	slices.Sort(names)
	return names
}

// policy returns the one that applies to a queue, that of the highest priority; nil
// when there is none.
func (b *broker) policy(q *queue) *policy {
	for i := range b.policies {
		if b.policies[i].fits(q) {
			return &b.policies[i]
		}
	}
	return nil
}

// stores makes a store of each queue.
func (b *broker) stores(load Load) []Store {
	dead, batches := make(map[string]bool), make(map[string]bool) // exchanges
	for _, q := range b.queues {
		dead[q.deadLetter] = true
		if p := b.policy(q); p != nil {
			dead[p.deadLetter] = true
		}
		for _, x := range q.exchanges {
			batches[x] = batches[x] || q.batches
		}
	}
	delete(dead, "")
	var all []Store
	for _, q := range b.queues {
		if !q.known {
			continue
		}
		bound := func(to map[string]bool) bool {
			return slices.ContainsFunc(q.exchanges, func(x string) bool { return to[x] })
		}
		f := load.readings()
		if q.batches || bound(batches) {
			f = load.batches()
		}
		f.rate /= float64(q.shards)
		l := q.limits
		if p := b.policy(q); p != nil {
			l.tighten(p.limits)
		}
		s := q.store(f, l)
		if q.dead || bound(dead) {
			s.Role = Refused
		}
		for _, x := range q.exchanges {
			for _, sender := range b.routes[x] {
				s.Senders = append(s.Senders, b.queue(sender).title())
			}
		}
		all = append(all, s)
	}
	return all
}

// title names the store that the queue is.
func (q *queue) title() string {
	if q.kind == amqp.QueueStream {
		return "stream " + q.name
	}
	return "queue " + q.name
}

// store says what the queue takes of the disk.
func (q *queue) store(f flow, l limits) Store {
	s := Store{Volume: volumeRabbitMQ, Name: q.title(), Role: Buffer, Rate: f.rate, Full: Refuses}
	if l.overflow != amqp.OverflowReject { // RabbitMQ's default is drop-head
		s.Full = DropsOldest
	}
	switch q.kind {
	case amqp.QueueStream:
		s.Full, s.OnDisk = DropsOldest, f.bytes+streamOverhead
		if l.segment == 0 {
			l.segment = streamSegment
		}
		// It drops whole segments, and never the one that is written: what it keeps
		// for sure is one less than its bound, what it may take one more.
		s.Fixed = 2 * l.segment
		if l.bytes > 0 {
			b := byBytes("maxBytes", l.bytes, s.OnDisk)
			b.Records = max(0, float64(l.bytes-l.segment)) / s.OnDisk
			s.Bounds = append(s.Bounds, b)
		}
		if l.age > 0 {
			s.Bounds = append(s.Bounds, s.byAge("maxAge", l.age))
		}
		return s
	case amqp.QueueClassic:
		s.OnDisk = f.bytes + classicOverhead
	default:
		s.OnDisk = f.bytes + quorumOverhead
	}
	if l.bytes > 0 {
		s.Bounds = append(s.Bounds, byBytes("maxBytes", l.bytes, f.bytes))
	}
	if l.messages > 0 {
		s.Bounds = append(s.Bounds, Bound{"maxLength " + digits.Grouped(l.messages), float64(l.messages)})
	}
	return s
}

// writesAhead returns what the write-ahead log takes, which all quorum queues
// share.
func (b *broker) writesAhead() feed.Size {
	for _, q := range b.queues {
		if q.known && cmp.Or(q.kind, amqp.QueueQuorum) == amqp.QueueQuorum {
			return b.wal
		}
	}
	return 0
}
