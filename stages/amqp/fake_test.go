package amqp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// fakeBroker is a broker in memory, as strict as RabbitMQ where it matters
// here: an acknowledgement must name an open delivery, a multiple-ack takes
// everything before it, a closed channel puts its deliveries back in place, a
// returned message is confirmed too.
type fakeBroker struct {
	version string

	mu        sync.Mutex
	cond      *sync.Cond
	queues    map[string][]*fakeMessage // sorted by id
	streams   map[string]*fakeStream
	exchanges map[string]string // exchange → queue for every key; "" drops
	links     map[*fakeLink]bool
	next      uint64
	down      bool
	frames    []string // acknowledgements as they arrive

	// onPublish decides about a publish: nil routes it.
	onPublish func(m *amqp091.Publishing, key string) fakeVerdict
	declared  []string
	declare   error // the answer to declarations
}

type fakeVerdict int

const (
	route fakeVerdict = iota
	returnIt
	refuse    // basic.nack
	swallow   // no answer
	closeChan // 406
)

type fakeMessage struct {
	id          uint64
	key         string
	msg         amqp091.Publishing
	redelivered bool
}

func newFakeBroker(queues ...string) *fakeBroker {
	b := &fakeBroker{version: "3.10.8", queues: map[string][]*fakeMessage{}, streams: map[string]*fakeStream{}, exchanges: map[string]string{}, links: map[*fakeLink]bool{}}
	b.cond = sync.NewCond(&b.mu)
	for _, q := range queues {
		b.queues[q] = nil
	}
	return b
}

func (b *fakeBroker) dial(ctx context.Context) (link, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errors.New("connection refused")
	}
	l := &fakeLink{b: b, done: make(chan struct{}), changed: make(chan struct{})}
	b.links[l] = true
	return l, ctx.Err()
}

func (b *fakeBroker) put(queue string, payloads ...[]byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range payloads {
		b.enqueue(queue, queue, amqp091.Publishing{Body: p, MessageId: fmt.Sprint("m", b.next+1)})
	}
}

func (b *fakeBroker) enqueue(queue, key string, msg amqp091.Publishing) {
	b.next++
	b.queues[queue] = append(b.queues[queue], &fakeMessage{id: b.next, key: key, msg: msg})
	b.cond.Broadcast()
}

// left counts what is queued or handed out.
func (b *fakeBroker) left(queue string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(b.queues[queue])
	for l := range b.links {
		for _, ch := range l.channels {
			if ch.queue == queue {
				n += len(ch.unacked)
			}
		}
	}
	return n
}

// cut ends every link as a lost connection does.
func (b *fakeBroker) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.links {
		l.end(&amqp091.Error{Code: amqp091.FrameError, Reason: "EOF"})
	}
}

func (b *fakeBroker) setDown(down bool) {
	b.mu.Lock()
	b.down = down
	b.mu.Unlock()
	if down {
		b.cut()
	}
}

func (b *fakeBroker) block(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for l := range b.links {
		l.reason = reason
		close(l.changed)
		l.changed = make(chan struct{})
	}
}

func (b *fakeBroker) acks() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.frames)
}

type fakeLink struct {
	b        *fakeBroker
	channels []*fakeChannel
	done     chan struct{}
	err      error
	ended    bool
	reason   string // blocked
	changed  chan struct{}
	boxes    map[string]*inbox // by consumer
}

func (l *fakeLink) Channel() (channel, error) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if l.ended {
		return nil, amqp091.ErrClosed
	}
	ch := &fakeChannel{l: l}
	l.channels = append(l.channels, ch)
	return ch, nil
}

func (l *fakeLink) ServerVersion() string { return l.b.version }
func (l *fakeLink) Blocked() (bool, string, <-chan struct{}) {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	return l.reason != "", l.reason, l.changed
}
func (l *fakeLink) Deliver(consumer string, box *inbox) func() {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	if l.boxes == nil {
		l.boxes = map[string]*inbox{}
	}
	l.boxes[consumer] = box
	return func() {
		l.b.mu.Lock()
		defer l.b.mu.Unlock()
		delete(l.boxes, consumer)
	}
}
func (l *fakeLink) Cork()                 {}
func (l *fakeLink) Uncork() error         { return nil }
func (l *fakeLink) Done() <-chan struct{} { return l.done }
func (l *fakeLink) Err() error            { return l.err }
func (l *fakeLink) Alive() bool {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	return !l.ended
}
func (l *fakeLink) Abort() {
	l.b.mu.Lock()
	defer l.b.mu.Unlock()
	l.end(&amqp091.Error{Code: amqp091.FrameError, Reason: "aborted"})
}
func (l *fakeLink) Close() error {
	l.b.mu.Lock()
	chans := slices.Clone(l.channels)
	l.end(nil)
	l.b.mu.Unlock()
	for _, ch := range chans {
		ch.pump.Wait()
	}
	return nil
}

func (l *fakeLink) end(err *amqp091.Error) {
	if l.ended {
		return
	}
	l.ended = true
	if err != nil {
		l.err = err
	} else {
		l.err = errLinkClosed
	}
	for _, ch := range l.channels {
		ch.end(err)
	}
	close(l.done)
	delete(l.b.links, l)
}

type fakeChannel struct {
	l        *fakeLink
	queue    string
	prefetch int
	unacked  []fakeUnacked // by tag
	tag      uint64
	closed   bool
	stream   bool // of the queue: what is unacknowledged does not come back
	pump     sync.WaitGroup
	closes   []chan *amqp091.Error
	cancels  []chan string
	returns  []chan amqp091.Return
	open     []*fakeConfirm
}

type fakeUnacked struct {
	tag uint64
	m   *fakeMessage
}

type fakeConfirm struct {
	done  chan struct{}
	acked bool
}

func (c *fakeConfirm) Done() <-chan struct{} { return c.done }
func (c *fakeConfirm) Acked() bool           { return c.acked }

func (ch *fakeChannel) lock() func() { ch.l.b.mu.Lock(); return ch.l.b.mu.Unlock }

// end closes the channel; the caller holds the broker's lock.
func (ch *fakeChannel) end(err *amqp091.Error) {
	if ch.closed {
		return
	}
	ch.closed = true
	if ch.stream {
		ch.unacked = nil
	}
	for _, u := range ch.unacked {
		u.m.redelivered = true
		ch.l.b.queues[ch.queue] = append(ch.l.b.queues[ch.queue], u.m)
	}
	if q, ok := ch.l.b.queues[ch.queue]; ok {
		sort.Slice(q, func(i, j int) bool { return q[i].id < q[j].id })
	}
	ch.unacked = nil
	for _, c := range ch.closes {
		if err != nil {
			c <- err
		}
	}
	for _, c := range ch.open {
		close(c.done)
	}
	ch.open = nil
	for _, c := range ch.closes {
		close(c)
	}
	ch.l.b.cond.Broadcast()
}

func (ch *fakeChannel) Qos(count, _ int, _ bool) error {
	defer ch.lock()()
	ch.prefetch = count
	return nil
}

func (ch *fakeChannel) Consume(queue, consumer string, _, _, _, _ bool, args amqp091.Table) (<-chan amqp091.Delivery, error) {
	defer ch.lock()()
	if s, ok := ch.l.b.streams[queue]; ok {
		return ch.consumeStream(s, consumer, args)
	}
	if _, ok := ch.l.b.queues[queue]; !ok {
		return nil, ch.exception(amqp091.NotFound, "NOT_FOUND - no queue '"+queue+"'")
	}
	ch.queue = queue
	out := make(chan amqp091.Delivery)
	box := ch.l.boxes[consumer]
	ch.pump.Go(func() { ch.deliver(box, out) })
	return out, nil
}

func (ch *fakeChannel) deliver(box *inbox, out chan<- amqp091.Delivery) {
	defer close(out)
	b := ch.l.b
	for {
		b.mu.Lock()
		for !ch.closed && (len(b.queues[ch.queue]) == 0 || len(ch.unacked) >= ch.prefetch) {
			if _, ok := b.queues[ch.queue]; !ok {
				for _, c := range ch.cancels {
					c <- "gone"
				}
				b.mu.Unlock()
				return
			}
			b.cond.Wait()
		}
		if ch.closed {
			b.mu.Unlock()
			return
		}
		m := b.queues[ch.queue][0]
		b.queues[ch.queue] = b.queues[ch.queue][1:]
		ch.tag++
		ch.unacked = append(ch.unacked, fakeUnacked{ch.tag, m})
		d := newDelivery(amqp091.Delivery{
			DeliveryTag: ch.tag, Redelivered: m.redelivered, RoutingKey: m.key, Body: m.msg.Body,
			MessageId: m.msg.MessageId, Headers: m.msg.Headers, ContentType: m.msg.ContentType, Timestamp: m.msg.Timestamp,
			CorrelationId: m.msg.CorrelationId, ReplyTo: m.msg.ReplyTo,
		})
		b.mu.Unlock()
		box.Put(d, box.Signal)
		box.Signal()
	}
}

// exception closes the channel; the caller holds the broker's lock.
func (ch *fakeChannel) exception(code int, reason string) *amqp091.Error {
	e := &amqp091.Error{Code: code, Reason: reason, Server: true}
	ch.end(e)
	return e
}

func (ch *fakeChannel) Ack(tag uint64, multiple bool) error {
	defer ch.lock()()
	if ch.closed {
		return amqp091.ErrClosed
	}
	ch.l.b.frames = append(ch.l.b.frames, fmt.Sprintf("ack %d %v", tag, multiple))
	i := slices.IndexFunc(ch.unacked, func(u fakeUnacked) bool { return u.tag == tag })
	if i < 0 {
		ch.exception(amqp091.PreconditionFailed, fmt.Sprintf("PRECONDITION_FAILED - unknown delivery tag %d", tag))
		return nil
	}
	if multiple {
		ch.unacked = ch.unacked[i+1:]
	} else {
		ch.unacked = slices.Delete(ch.unacked, i, i+1)
	}
	ch.l.b.cond.Broadcast()
	return nil
}

func (ch *fakeChannel) Confirm(bool) error { return nil }

func (ch *fakeChannel) Publish(exchange, key string, mandatory bool, msg amqp091.Publishing) (confirmation, error) {
	defer ch.lock()()
	if ch.closed {
		return nil, amqp091.ErrClosed
	}
	b := ch.l.b
	c := &fakeConfirm{done: make(chan struct{})}
	msg.Body = slices.Clone(msg.Body)
	verdict := route
	if b.onPublish != nil {
		verdict = b.onPublish(&msg, key)
	}
	queue := key
	if exchange != "" {
		q, ok := b.exchanges[exchange]
		if !ok {
			ch.open = append(ch.open, c)
			ch.exception(amqp091.NotFound, "NOT_FOUND - no exchange '"+exchange+"' in vhost '/'")
			return c, nil
		}
		queue = q
	}
	if _, ok := b.queues[queue]; verdict == route && !ok {
		if !mandatory {
			queue = ""
		} else {
			verdict = returnIt
		}
	}
	switch verdict {
	case closeChan:
		ch.open = append(ch.open, c)
		ch.exception(amqp091.PreconditionFailed, fmt.Sprintf("PRECONDITION_FAILED - message size %d is larger than configured max size 10", len(msg.Body)))
		return c, nil
	case swallow:
		ch.open = append(ch.open, c)
		return c, nil
	case refuse:
		close(c.done)
		return c, nil
	case returnIt:
		for _, r := range ch.returns {
			r <- amqp091.Return{
				ReplyCode: 312, ReplyText: "NO_ROUTE", Exchange: exchange, RoutingKey: key, MessageId: msg.MessageId, Body: msg.Body,
				Headers: msg.Headers, ContentType: msg.ContentType, CorrelationId: msg.CorrelationId, ReplyTo: msg.ReplyTo,
			}
		}
	case route:
		if queue != "" {
			b.enqueue(queue, key, msg)
		}
	}
	c.acked = true
	close(c.done)
	return c, nil
}

func (ch *fakeChannel) NotifyReturn(c chan amqp091.Return) chan amqp091.Return {
	defer ch.lock()()
	ch.returns = append(ch.returns, c)
	return c
}

func (ch *fakeChannel) QueueDeclare(name string, durable, _, _, _ bool, args amqp091.Table) (amqp091.Queue, error) {
	defer ch.lock()()
	ch.l.b.declared = append(ch.l.b.declared, fmt.Sprintf("queue %s durable=%v %v", name, durable, args))
	if ch.l.b.declare != nil {
		return amqp091.Queue{}, ch.l.b.declare
	}
	if args[amqp091.QueueTypeArg] == string(QueueStream) {
		if ch.l.b.streams[name] == nil {
			ch.l.b.streams[name] = &fakeStream{}
		}
		return amqp091.Queue{Name: name}, nil
	}
	if _, ok := ch.l.b.queues[name]; !ok {
		ch.l.b.queues[name] = nil
	}
	return amqp091.Queue{Name: name}, nil
}

func (ch *fakeChannel) QueueDeclarePassive(name string, _, _, _, _ bool, _ amqp091.Table) (amqp091.Queue, error) {
	defer ch.lock()()
	if s, ok := ch.l.b.streams[name]; ok {
		return amqp091.Queue{Name: name, Messages: len(s.bodies)}, nil
	}
	if _, ok := ch.l.b.queues[name]; !ok {
		return amqp091.Queue{}, ch.exception(amqp091.NotFound, "NOT_FOUND - no queue '"+name+"'")
	}
	return amqp091.Queue{Name: name}, nil
}

func (ch *fakeChannel) QueueBind(name, key, exchange string, _ bool, _ amqp091.Table) error {
	defer ch.lock()()
	ch.l.b.declared = append(ch.l.b.declared, fmt.Sprintf("bind %s %s %s", name, key, exchange))
	return nil
}

func (ch *fakeChannel) ExchangeBind(destination, key, source string, _ bool, _ amqp091.Table) error {
	defer ch.lock()()
	ch.l.b.declared = append(ch.l.b.declared, fmt.Sprintf("bind exchange %s %s %s", destination, key, source))
	return nil
}

func (ch *fakeChannel) ExchangeDeclare(name, kind string, durable, _, _, _ bool, _ amqp091.Table) error {
	defer ch.lock()()
	ch.l.b.declared = append(ch.l.b.declared, fmt.Sprintf("exchange %s %s durable=%v", name, kind, durable))
	return nil
}

func (ch *fakeChannel) ExchangeDeclarePassive(name, _ string, _, _, _, _ bool, _ amqp091.Table) error {
	defer ch.lock()()
	if _, ok := ch.l.b.exchanges[name]; !ok {
		return ch.exception(amqp091.NotFound, "NOT_FOUND - no exchange '"+name+"'")
	}
	return nil
}

func (ch *fakeChannel) NotifyClose(c chan *amqp091.Error) chan *amqp091.Error {
	defer ch.lock()()
	ch.closes = append(ch.closes, c)
	return c
}

func (ch *fakeChannel) NotifyCancel(c chan string) chan string {
	defer ch.lock()()
	ch.cancels = append(ch.cancels, c)
	return c
}

func (ch *fakeChannel) Close() error {
	ch.l.b.mu.Lock()
	if i := slices.Index(ch.l.channels, ch); i >= 0 {
		ch.end(nil)
		ch.l.channels = slices.Delete(ch.l.channels, i, i+1)
	}
	ch.l.b.mu.Unlock()
	ch.pump.Wait()
	return nil
}

var (
	_ link    = (*fakeLink)(nil)
	_ channel = (*fakeChannel)(nil)
)
