package mqtt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// An acknowledgement is a write here and a wake-up at the broker, and nobody
// waits for it. So settlements that follow the last write closely wait for
// others.
const (
	// ackEvery is the time from one write of PUBACKs to the next.
	ackEvery = 10 * time.Millisecond
	// ackLate is how long they wait when no others come.
	ackLate = 100 * time.Millisecond
	// closeTimeout is how long Close may take with a broker that does not
	// answer.
	closeTimeout = 5 * time.Second

	// slabSize is how many messages are allocated at once.
	slabSize = 16
)

// errSubscriptionClosed is what Receive and Settle return after Close.
var errSubscriptionClosed = errors.New("subscription closed")

var (
	_ feed.Subscription = (*subscription)(nil)
	_ feed.Describer    = (*subscription)(nil)
)

// subscription is one connection of a session, from its CONNACK to its end. A
// reader goroutine takes what the broker sends, a watcher goroutine pings and
// notices a dead peer. Nothing is started or signalled per message.
type subscription struct {
	line
	filters    []string
	limit      int           // of a packet
	subscribed chan struct{} // closed when the broker has granted the filters
	box        *inbox
	most       int                                // deliveries that are handed out and whose turn has not come
	ended      func(s *subscription, cause error) // cause is nil when it lived until Close

	taking chan struct{} // 1-buffered: full during each Receive
	got    []*delivery   // reused by Receive

	// Of what came after the end of the inbox; the reader's until it has ended.
	dropped struct {
		qos0  int
		fresh bool // something that was not sent before
	}

	turn     sync.Mutex // guards the rest
	window   receiving
	before   settledBefore // in the end what the next connection is to know
	lostQoS0 int           // deliveries with QoS 0 that went unsettled; known in the end
	owed     []byte        // PUBACKs to write
	unsure   int           // PUBACKs that were not written, or not for certain, with those of which nobody has learned yet
	acked    time.Time     // when PUBACKs were last written
	late     *time.Timer   // fires when what is owed has waited for long
	armed    bool          // late will fire
	closed   bool
	closing  sync.Once
	result   error // of Close
}

// newSubscription starts the goroutines of a connection.
func newSubscription(k *link, c SourceConfig, filters []string, before past, ended func(*subscription, error)) *subscription {
	s := &subscription{
		filters: filters, limit: int(c.MaxPacketSize), most: c.ReceiveMaximum,
		subscribed: make(chan struct{}),
		box:        newInbox(c.ReadAhead),
		taking:     make(chan struct{}, 1),
		before:     before.settled, unsure: before.lost, ended: ended,
	}
	s.late = time.AfterFunc(math.MaxInt64, s.acknowledgeLate)
	s.late.Stop()
	s.open(k, c.PingTimeout)
	s.tasks.Go(func() {
		s.read()
		s.box.End(s.failure())
	})
	s.tasks.Go(func() {
		s.watch(s.look)
		s.box.End(s.failure())
	})
	return s
}

// subscribe asks for the filters and waits until they are granted. The broker
// may send what is left of the session first: when that fills the inbox,
// subscribe does not wait for the end of it, and a refusal ends the subscription
// later.
func (s *subscription) subscribe(ctx context.Context, group string, retained Retained) error {
	p := packets.Subscribe{PacketID: subscribeID, Properties: &packets.Properties{}}
	for _, filter := range s.filters {
		p.Subscriptions = append(p.Subscriptions, packets.SubOptions{
			Topic: shared(group, filter), QoS: 1, RetainHandling: byte(retained.handling()), RetainAsPublished: true,
		})
	}
	var b bytes.Buffer
	if _, err := p.WriteTo(&b); err != nil {
		return fmt.Errorf("encode SUBSCRIBE: %w", err)
	}
	if err := s.put(b.Bytes()); err != nil {
		return err
	}
	select {
	case <-s.subscribed:
	case <-s.box.crowded:
	case <-s.done:
		return s.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// subscribeID is the packet id of the one SUBSCRIBE on a connection. The ids of
// what the broker sends are others, but there are brokers that confuse the two
// and count from 1.
const subscribeID = maxPacketID

// read takes what the broker sends until the connection ends.
func (s *subscription) read() {
	for {
		first, body, err := s.next()
		if err == nil {
			err = s.handle(first, body)
		} else if !errors.Is(err, errProtocol) {
			s.lost(err)
			return
		}
		if err != nil {
			s.broken(err)
			return
		}
	}
}

// next reads a packet.
func (s *subscription) next() (first byte, body []byte, err error) {
	if s.in.Buffered() == 0 {
		s.box.Signal()
	}
	if first, err = s.in.ReadByte(); err != nil {
		return 0, nil, err
	}
	// Garbage shows in the first byte: do not wait for more of it.
	if !isPublish(first) && first != packets.SUBACK<<4 && !answers(first) {
		return 0, nil, fmt.Errorf("%w: unexpected packet of type %d with flags %d", errProtocol, first>>4, first&0xf)
	}
	length, err := readVarint(s.in)
	if err != nil {
		return 0, nil, err
	}
	if length > s.limit {
		return 0, nil, fmt.Errorf("%w: a packet of %d bytes, and %d were allowed", errProtocol, length, s.limit)
	}
	body = make([]byte, length)
	if _, err = io.ReadFull(s.in, body); errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return first, body, err
}

// readVarint reads a Variable Byte Integer.
func readVarint(in io.ByteReader) (int, error) {
	n := 0
	for shift := 0; shift <= 21; shift += 7 {
		b, err := in.ReadByte()
		if err != nil {
			return 0, err
		}
		n |= int(b&0x7f) << shift
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: %w", errProtocol, errMalformed)
}

func (s *subscription) handle(first byte, body []byte) error {
	switch {
	case isPublish(first):
		d, err := parsePublish(first, body)
		if err != nil {
			return err
		}
		if !s.box.put(d) {
			s.drop(d)
		}
		return nil
	case first == packets.SUBACK<<4:
		return s.granted(body)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(first, body)
}

// drop notes a delivery that nobody gets.
func (s *subscription) drop(d *delivery) {
	switch {
	case d.id == 0:
		s.dropped.qos0++
	case !d.duplicate:
		s.dropped.fresh = true
	}
}

// granted takes the SUBACK.
func (s *subscription) granted(body []byte) error {
	ack := packets.Suback{Properties: &packets.Properties{}}
	if err := ack.Unpack(bytes.NewBuffer(body)); err != nil {
		return fmt.Errorf("%w: SUBACK: %w", errProtocol, err)
	}
	select {
	case <-s.subscribed:
		return fmt.Errorf("%w: a second SUBACK", errProtocol)
	default:
	}
	if ack.PacketID != subscribeID || len(ack.Reasons) != len(s.filters) {
		return fmt.Errorf("%w: a SUBACK for packet id %d with %d reason codes, and %d filters were asked for", errProtocol, ack.PacketID, len(ack.Reasons), len(s.filters))
	}
	for i, code := range ack.Reasons {
		if err := grants(i, s.filters[i], code, ack.Properties.ReasonString); err != nil {
			return err
		}
	}
	close(s.subscribed)
	return nil
}

// look says whether a ping is due, or why the peer must be taken for dead. What
// the broker has sent while the reader waits for room is not read, the answer
// to a ping neither.
func (s *subscription) look(now time.Time) (idle bool, err error) {
	stalled := s.box.Full()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pinged = s.heard.since(s.pinged)
	if stalled && s.renewal != nil && !s.renewal.asked.IsZero() {
		s.renewal.asked = now
	}
	if s.pings > s.pongs {
		if stalled {
			s.pinged = now
		}
		// A broker that hears nothing else for its keep-alive must hear a ping.
		idle = stalled && now.Sub(s.written) >= s.broker.keepAlive/2
		return idle && s.broker.keepAlive > 0, s.silent(now)
	}
	return now.Sub(s.written) >= s.every()/2, nil
}

// every is the longest time without a word to the broker, and so without one
// from it.
func (s *subscription) every() time.Duration {
	if s.broker.keepAlive > 0 {
		return s.broker.keepAlive
	}
	return s.patience
}

// Receive implements [feed.Subscription].
func (s *subscription) Receive(ctx context.Context, dst []feed.Delivery, max int) ([]feed.Delivery, error) {
	s.taking <- struct{}{}
	defer func() { <-s.taking }()
	begin := len(dst)
	for len(dst) == begin {
		s.turn.Lock()
		room := s.most - s.window.n // with what came with QoS 0, which the broker does not bound
		s.turn.Unlock()
		var err error
		if s.got, err = s.box.Take(ctx, s.got[:0], min(max, room)); err != nil {
			return dst, err
		}
		dst, err = s.handOut(dst)
		clear(s.got)
		if err != nil {
			return dst[:begin], err
		}
	}
	return dst, nil
}

// handOut appends what was taken out of the inbox to dst, but for what had been
// settled before.
func (s *subscription) handOut(dst []feed.Delivery) ([]feed.Delivery, error) {
	s.turn.Lock()
	defer s.turn.Unlock()
	again := false
	var free []message.Message
	for i, d := range s.got {
		tag, fresh := s.admit(d)
		if !fresh {
			again = true
			continue
		}
		if len(free) == 0 { // few at a time: one that is kept for long keeps those beside it
			free = make([]message.Message, min(len(s.got)-i, slabSize))
		}
		m := &free[0]
		free = free[1:]
		fill(m, d)
		dst = append(dst, feed.Delivery{Message: m, Tag: tag, Redelivered: d.duplicate})
	}
	if again {
		return dst, s.acknowledge()
	}
	return dst, nil
}

// admit takes a delivery in. One that was settled before, on an earlier
// connection, is settled again at once. The caller has the turn.
func (s *subscription) admit(d *delivery) (tag uint64, fresh bool) {
	tag = s.window.add(d)
	if !s.before.takes(d) {
		return tag, true
	}
	_ = s.window.settle(tag) // never fails: it has just been added
	s.owed = s.window.advance(s.owed)
	s.window.release(tag)
	return tag, false
}

// Settle implements [feed.Subscription]. The broker may learn of it up to
// ackLate later, but before the connection ends. When it cannot be told, Receive
// fails, and Close says how many deliveries come again: what was settled out of
// turn may not be among them.
func (s *subscription) Settle(_ context.Context, list []feed.Settlement) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.closed {
		return errSubscriptionClosed
	}
	if err := s.failure(); err != nil {
		return fmt.Errorf("acknowledge: %w", err)
	}
	for _, e := range list {
		if err := s.window.settle(e.Tag); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
	}
	s.owed = s.window.advance(s.owed)
	for _, e := range list {
		s.window.release(e.Tag)
	}
	if err := s.acknowledge(); err != nil {
		s.box.End(err)
	}
	return nil
}

// acknowledge writes the PUBACKs that are owed, now or a little
// later. The caller has the turn.
func (s *subscription) acknowledge() error {
	switch n := len(s.owed) / pubackSize; {
	case n == 0:
	case n > s.most/8 || time.Since(s.acked) >= ackEvery:
		return s.writeOwed()
	case !s.armed:
		s.armed = true
		s.late.Reset(ackLate)
	}
	return nil
}

// writeOwed writes the PUBACKs that are owed. The caller has the turn.
func (s *subscription) writeOwed() error {
	if len(s.owed) == 0 {
		return nil
	}
	err := s.put(s.owed)
	if err != nil {
		s.unsure += len(s.owed) / pubackSize
		err = fmt.Errorf("acknowledge: %w", err)
	}
	s.owed = s.owed[:0]
	s.acked = time.Now()
	return err
}

// acknowledgeLate writes what has waited for others.
func (s *subscription) acknowledgeLate() {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.armed = false
	if s.closed {
		return
	}
	if err := s.writeOwed(); err != nil {
		s.box.End(err)
	}
}

// Describe implements [feed.Describer].
func (s *subscription) Describe(tag uint64) (feed.Original, error) {
	s.turn.Lock()
	slot, err := s.window.unsettled(tag)
	if err != nil {
		s.turn.Unlock()
		return feed.Original{}, fmt.Errorf("describe: %w", err)
	}
	d := slot.delivery
	s.turn.Unlock()
	properties, err := d.describe()
	if err != nil {
		return feed.Original{}, fmt.Errorf("describe: %w", err)
	}
	return feed.Original{Payload: d.payload, Format: Format, Properties: properties, Origin: "topic " + d.topic}, nil
}

// Close writes the PUBACKs that are owed and ends the connection, which gives
// everything unsettled back: the broker sends it again, in order, when the
// session is resumed. It waits for the broker to hang up, so that the next
// connection does not meet this one. A *[feed.SettleLostError] says how many
// PUBACKs may not have arrived.
func (s *subscription) Close() error {
	s.closing.Do(func() {
		cause := s.failure()
		s.box.End(errSubscriptionClosed)
		hurry := time.AfterFunc(closeTimeout, func() { s.fail(errors.New("the broker does not hang up")) })
		defer hurry.Stop()
		s.taking <- struct{}{} // what Receive has taken out of the inbox is in the window then
		<-s.taking
		s.turn.Lock()
		s.closed = true
		s.late.Stop()
		waiting := s.box.Rest()
		if cause == nil { // some of it may have been settled before
			for _, d := range waiting {
				s.admit(d)
			}
			waiting = nil
		}
		why := errors.Join(s.writeOwed(), s.failure())
		s.turn.Unlock()
		s.leave()
		s.fail(errSubscriptionClosed)
		s.tasks.Wait()
		for _, d := range waiting {
			s.drop(d)
		}
		s.lostQoS0 = s.dropped.qos0 + s.window.unsettledQoS0()
		s.remember(cause)
		if s.unsure > 0 {
			s.result = &feed.SettleLostError{Settled: s.unsure, Err: why}
		}
		s.ended(s, cause)
	})
	return s.result
}

// remember makes before what the next connection is to know: what was settled
// out of turn on this one, and on earlier ones without having come again. When
// the peer has closed the connection, another client may have had the session
// since, and the broker may give the same ids to messages that nobody has got;
// not every broker says why it closes. What was settled comes again then.
func (s *subscription) remember(cause error) {
	if s.dropped.fresh {
		clear(s.before) // the broker has sent again all that it would
	}
	all := s.window.outOfTurn()
	for id, sum := range s.before {
		if _, ok := all[id]; !ok {
			all[id] = sum
		}
	}
	if takenOver(cause) || hungUp(cause) {
		s.unsure += len(all)
		all = nil
	}
	s.before = all
}

// leave takes leave of the broker and waits until it has read everything and
// hung up. To close at once what has unread bytes would reset the connection,
// and might so take the last PUBACKs back.
func (s *subscription) leave() {
	s.bye(packets.DisconnectNormalDisconnection)
	if half, ok := s.nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	patience := time.NewTimer(farewell)
	defer patience.Stop()
	select {
	case <-s.done:
	case <-patience.C:
	}
}

// abort ends a subscription that nobody has had. Its error is that of Close.
func (s *subscription) abort(err error) error {
	s.bye(packets.DisconnectNormalDisconnection)
	s.fail(err)
	return s.Close()
}
