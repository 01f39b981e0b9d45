package feedtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Queue is an in-memory source that behaves like a broker's queue: it hands
// out messages in order within a window, keeps them until they are settled,
// and hands out again, in order and marked as redelivered, what comes back.
// It checks its caller: a settlement of what is not unsettled is an error that
// [Queue.Misuse] reports too. The zero value is an empty queue with a window
// of 65,535. Safe for concurrent use.
type Queue struct {
	// Window bounds the unsettled deliveries; set it before use.
	Window int
	// OnSettle, when set, is told of each settlement before it takes effect;
	// an error counts as misuse. Set it before use.
	OnSettle func(Settled) error

	mu        sync.Mutex
	changed   chan struct{}
	ready     []queued
	sub       *queueSubscription
	ended     bool // no more will be put in: io.EOF when empty
	refuse    error
	settled   []Settled
	misuse    []error
	subscribe int
	closed    bool
}

type queued struct {
	msg         *message.Message
	id          int
	redelivered bool
}

// Settled is a settlement that the queue accepted.
type Settled struct {
	Payload string
	Outcome feed.Outcome
}

// ErrBroken is what a subscription reports after [Queue.Break].
var ErrBroken = errors.New("connection broken")

// Put appends messages with the given payloads; their topic is the payload up
// to its first colon, so that "k1:5" has the key k1.
func (q *Queue) Put(payloads ...string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, p := range payloads {
		topic := p
		for i := range p {
			if p[i] == ':' {
				topic = p[:i]
				break
			}
		}
		q.ready = append(q.ready, queued{
			msg: &message.Message{UUID: p, Payload: message.Payload(p), Metadata: message.Metadata{feed.MetaTopic: topic}},
			id:  len(q.ready),
		})
	}
	q.signal()
}

// End says that no more will be put in.
func (q *Queue) End() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.signal()
}

// Break ends the current subscription as a lost connection does: what is
// unsettled comes again.
func (q *Queue) Break() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sub != nil {
		q.sub.end(ErrBroken)
	}
}

// Refuse makes SubscribeBatch fail with err until it is called with nil.
func (q *Queue) Refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refuse = err
}

// Settled returns the settlements so far, in order.
func (q *Queue) Settled() []Settled {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]Settled(nil), q.settled...)
}

// Len returns how many messages are not settled, handed out or not.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.ready)
	if q.sub != nil {
		n += len(q.sub.unsettled)
	}
	return n
}

// Unsettled returns how many messages are handed out and not settled.
func (q *Queue) Unsettled() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.sub == nil {
		return 0
	}
	return len(q.sub.unsettled)
}

// Subscriptions returns how often the queue was subscribed to.
func (q *Queue) Subscriptions() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.subscribe
}

// Misuse returns how the queue was used against the contract.
func (q *Queue) Misuse() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return errors.Join(q.misuse...)
}

// signal wakes every Receive. The caller holds mu.
func (q *Queue) signal() {
	if q.changed != nil {
		close(q.changed)
	}
	q.changed = make(chan struct{})
}

// SubscribeBatch implements [feed.BatchSubscriber]. There is one subscription
// at a time.
func (q *Queue) SubscribeBatch(ctx context.Context, _ string) (feed.Subscription, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.refuse != nil {
		return nil, q.refuse
	}
	if q.sub != nil {
		err := errors.New("subscribed while another subscription is open")
		q.misuse = append(q.misuse, err)
		return nil, err
	}
	q.subscribe++
	q.signal()
	q.sub = &queueSubscription{q: q}
	return q.sub, nil
}

// Subscribe implements [message.Subscriber] over the same queue: one message
// at a time, a nack brings it back at once.
func (q *Queue) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	sub, err := q.SubscribeBatch(ctx, topic)
	if err != nil {
		return nil, err
	}
	out := make(chan *message.Message)
	go func() {
		defer close(out)
		for {
			ds, err := sub.Receive(ctx, nil, 1)
			if err != nil {
				_ = sub.Close()
				return
			}
			for acked := false; !acked; {
				m := ds[0].Message.Copy()
				select {
				case out <- m:
				case <-ctx.Done():
					_ = sub.Close()
					return
				}
				select {
				case <-m.Acked():
					acked = true
					if err := sub.Settle(ctx, []feed.Settlement{{Tag: ds[0].Tag, Outcome: feed.Delivered}}); err != nil {
						_ = sub.Close()
						return
					}
				case <-m.Nacked():
				case <-ctx.Done():
					_ = sub.Close()
					return
				}
			}
		}
	}()
	return out, nil
}

// Close ends the current subscription. Idempotent.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if q.sub != nil {
		q.sub.end(io.EOF)
	}
	return nil
}

type queueSubscription struct {
	q         *Queue
	tag       uint64
	unsettled []unsettled
	err       error // why it ended
}

type unsettled struct {
	queued
	tag uint64
}

// end gives back what is unsettled, in order. The caller holds q.mu.
func (s *queueSubscription) end(err error) {
	if s.err != nil {
		return
	}
	s.err = err
	back := make([]queued, 0, len(s.unsettled)+len(s.q.ready))
	for _, u := range s.unsettled {
		u.redelivered = true
		back = append(back, u.queued)
	}
	s.q.ready = append(back, s.q.ready...)
	s.unsettled = nil
	s.q.sub = nil
	s.q.signal()
}

func (s *queueSubscription) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	for {
		s.q.mu.Lock()
		if s.err != nil {
			s.q.mu.Unlock()
			return dst, s.err
		}
		window := s.q.Window
		if window == 0 {
			window = 65535
		}
		n := min(limit, len(s.q.ready), window-len(s.unsettled))
		if n > 0 && ctx.Err() == nil {
			for _, m := range s.q.ready[:n] {
				s.tag++
				s.unsettled = append(s.unsettled, unsettled{m, s.tag})
				dst = append(dst, feed.Delivery{Message: m.fresh(), Tag: s.tag, Redelivered: m.redelivered})
			}
			s.q.ready = s.q.ready[n:]
			s.q.mu.Unlock()
			return dst, nil
		}
		if s.q.ended && len(s.q.ready) == 0 {
			s.q.mu.Unlock()
			return dst, io.EOF
		}
		changed := s.q.changed
		s.q.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
}

// fresh returns the message as a broker would decode it anew.
func (m queued) fresh() *message.Message {
	metadata := make(message.Metadata, len(m.msg.Metadata))
	for k, v := range m.msg.Metadata {
		metadata[k] = v
	}
	return &message.Message{UUID: m.msg.UUID, Payload: m.msg.Payload, Metadata: metadata}
}

func (s *queueSubscription) Settle(_ context.Context, settlements []feed.Settlement) error {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	last := uint64(0)
	for _, one := range settlements {
		if one.Tag <= last {
			return s.misused(fmt.Errorf("settled tag %d after %d: tags must increase", one.Tag, last))
		}
		last = one.Tag
		found := false
		for i, u := range s.unsettled {
			if u.tag == one.Tag {
				if s.q.OnSettle != nil {
					if err := s.q.OnSettle(Settled{string(u.msg.Payload), one.Outcome}); err != nil {
						return s.misused(err)
					}
				}
				s.q.settled = append(s.q.settled, Settled{string(u.msg.Payload), one.Outcome})
				s.unsettled = append(s.unsettled[:i], s.unsettled[i+1:]...)
				found = true
				break
			}
		}
		if !found {
			return s.misused(fmt.Errorf("settled tag %d, which is not unsettled", one.Tag))
		}
		if one.Outcome < feed.Delivered || one.Outcome > feed.Quarantined {
			return s.misused(fmt.Errorf("settled tag %d with outcome %d", one.Tag, one.Outcome))
		}
	}
	s.q.signal()
	return nil
}

func (s *queueSubscription) misused(err error) error {
	s.q.misuse = append(s.q.misuse, err)
	return err
}

// Describe implements [feed.Describer].
func (s *queueSubscription) Describe(tag uint64) (feed.Original, error) {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	for _, u := range s.unsettled {
		if u.tag == tag {
			return feed.Original{Payload: u.msg.Payload, Format: "feedtest", Properties: []byte(`{}`), Origin: "in-memory queue"}, nil
		}
	}
	return feed.Original{}, fmt.Errorf("delivery %d is not unsettled", tag)
}

func (s *queueSubscription) Close() error {
	s.q.mu.Lock()
	defer s.q.mu.Unlock()
	s.end(io.EOF)
	return nil
}
