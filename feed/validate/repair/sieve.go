package repair

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Why messages do not reach the sink.
const (
	notMissing = "not missing"
	noReading  = "no reading"
	unknown    = "not known whether it is missing"
)

// sieve lets through of a place what is missing. It is the source of a route, and
// stands around its transforms: the first one tells it of which delivery the next
// messages are, the last one asks whether they are missing. It is the ledger of the
// route, too, which tells of each message what became of it: the sink may have one of
// a delivery, and refuse another.
type sieve struct {
	place   string
	from    feed.BatchSubscriber
	dry     bool
	missing *Missing
	known   func(*reading.Reading) validate.Known
	settled func(context.Context, []validate.Known, Fate) error
	ledger  feed.Ledger // that is told, too, unless it is nil
	plain   *feed.HandOuts

	mu         sync.Mutex
	failed     error // no more is handed out
	deliveries map[*message.Message]*delivery
	inFlight   map[validate.Known]bool
	on         map[*byte]validate.Known // on their way to the sink, by their payloads

	// The transforms' alone.
	parser  reading.Parser
	current *delivery // that they are at
	strange int64     // messages that are no readings
}

// delivery is a message of the place.
type delivery struct {
	rest int // messages made of it that were not missing
}

var errSieveClosed = errors.New("the source of the repair is closed")

func newSieve(place string, from feed.BatchSubscriber) *sieve {
	return &sieve{
		place: place, from: from, plain: feed.NewHandOuts(errSieveClosed),
		deliveries: map[*message.Message]*delivery{}, inFlight: map[validate.Known]bool{}, on: map[*byte]validate.Known{},
	}
}

// around puts the sieve around the transforms of a route.
func (s *sieve) around(ts []feed.Transform) []feed.Transform {
	all := append([]feed.Transform{{Name: "repair", Func: s.begin}}, ts...)
	return append(all, feed.Transform{Name: "repair", Func: s.choose})
}

// begin notes which delivery comes.
func (s *sieve) begin(m *message.Message) ([]*message.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current = s.deliveries[m]; s.current == nil {
		s.current = &delivery{}
	}
	*s.current = delivery{} // it may come a second time
	return []*message.Message{m}, nil
}

// choose lets a reading through that is missing, and is not on its way already.
func (s *sieve) choose(m *message.Message) ([]*message.Message, error) {
	r, err := s.parser.Parse(m.Payload)
	if err != nil {
		s.current.rest++
		s.strange++
		return nil, feed.Filter(noReading)
	}
	k := s.known(&r)
	entry, missing, err := s.missing.Lookup(m.Context(), k)
	if err != nil { // which would not pass for the route's trying again
		s.fail(err)
		s.current.rest++
		return nil, feed.Filter(unknown)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !missing:
		s.current.rest++
		return nil, feed.Filter(notMissing)
	case entry.Fate == Sent || s.inFlight[k]:
		return nil, feed.Filter(notMissing)
	}
	s.inFlight[k] = true
	s.on[&m.Payload[0]] = k
	return []*message.Message{m}, nil
}

// Record implements [feed.Ledger]: it notes what the sink has, and what it refuses.
func (s *sieve) Record(hop *feed.Hop, ended []feed.Ended) {
	fates := map[Fate][]validate.Known{}
	s.mu.Lock()
	for i := range ended {
		e := &ended[i]
		if len(e.Payload) == 0 {
			continue
		}
		k, ok := s.on[&e.Payload[0]]
		switch {
		case !ok:
			continue
		case e.Outcome == feed.Delivered:
			fates[Sent] = append(fates[Sent], k)
		case e.Outcome == feed.Quarantined:
			fates[Refused] = append(fates[Refused], k)
		default:
			continue // it comes again
		}
		delete(s.on, &e.Payload[0])
		delete(s.inFlight, k)
	}
	s.mu.Unlock()
	for f, ks := range fates {
		// It has happened, whatever becomes of the repair.
		if err := s.settled(context.Background(), ks, f); err != nil {
			s.fail(err)
		}
	}
	if s.ledger != nil {
		s.ledger.Record(hop, ended)
	}
}

// fail has the place hand out nothing any more.
func (s *sieve) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
}

// failure says why the place did not hand out all.
func (s *sieve) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// Subscribe implements [message.Subscriber].
func (s *sieve) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.plain.Subscribe(ctx, func(ctx context.Context) (feed.Subscription, error) { return s.SubscribeBatch(ctx, topic) }, nil)
}

// SubscribeBatch implements [feed.BatchSubscriber]. A place that cannot be read
// ends the repair: it can be repeated, and must not wait for ever.
func (s *sieve) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	s.mu.Lock()
	clear(s.deliveries) // what was given back
	clear(s.inFlight)
	clear(s.on)
	s.mu.Unlock()
	return &sieved{sieve: s, at: map[uint64]*message.Message{}, of: s.open(ctx, topic)}, nil
}

// open subscribes to the place; nil says that it has failed.
func (s *sieve) open(ctx context.Context, topic string) feed.Subscription {
	if s.failure() != nil {
		return nil
	}
	sub, err := s.from.SubscribeBatch(ctx, topic)
	if err == nil {
		return sub
	}
	if ctx.Err() == nil {
		s.fail(err)
	}
	return nil
}

// Close implements [message.Subscriber]. The place is its owner's to close.
func (s *sieve) Close() error {
	s.plain.Close()
	return nil
}

// sieved is a subscription to a place.
type sieved struct {
	*sieve
	of feed.Subscription // nil when the place has failed
	at map[uint64]*message.Message
}

// Receive implements [feed.Subscription]. It ends when nothing is missing any more.
func (s *sieved) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	if s.of == nil || s.failure() != nil || s.missing.Left() == 0 {
		return dst, io.EOF
	}
	before := len(dst)
	dst, err := s.of.Receive(ctx, dst, limit)
	if err != nil && !errors.Is(err, io.EOF) && ctx.Err() == nil {
		s.fail(err)
		err = io.EOF
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range dst[before:] {
		s.deliveries[d.Message] = &delivery{}
		s.at[d.Tag] = d.Message
	}
	return dst, err
}

// Settle tells the place what is done: only a delivery of which all was sent. What
// holds more than was missing stays as it is there.
func (s *sieved) Settle(ctx context.Context, list []feed.Settlement) error {
	if s.of == nil {
		return nil
	}
	told := make([]feed.Settlement, len(list))
	s.mu.Lock()
	for i, one := range list {
		m := s.at[one.Tag]
		d := s.deliveries[m]
		delete(s.at, one.Tag)
		delete(s.deliveries, m)
		told[i] = one
		if s.dry || one.Outcome != feed.Delivered || d == nil || d.rest > 0 {
			told[i].Outcome = feed.Quarantined
		}
	}
	s.mu.Unlock()
	return s.of.Settle(ctx, told)
}

// Close implements [feed.Subscription].
func (s *sieved) Close() error {
	if s.of == nil {
		return nil
	}
	return s.of.Close()
}
