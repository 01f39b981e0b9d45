package amqp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// offsetHeader is the header in which the broker tells the offset of a
// delivery, and the argument that says at which one a consumer begins.
const offsetHeader = "x-stream-offset"

// streamSubscription is a consumer of a stream. What it acknowledges tells the
// broker no more than that there is room for further deliveries: it does so as
// it hands them out, so that a batch may be larger than the prefetch.
type streamSubscription struct {
	*consumer
	close sync.Once
	fail  error // of close

	got    []*delivery // reused by Receive
	decode decoder     // Receive's
	owed   int         // deliveries that are not acknowledged
	most   int         // that may be owed: above, the broker might run out of prefetch

	mu     sync.Mutex // guards the rest: Describe may come from elsewhere
	open   []placed   // by their offset
	closed bool
}

// placed is an unsettled delivery; nil once it is settled.
type placed struct {
	tag      uint64 // the offset plus one
	delivery *delivery
}

// consumeStream starts a consumer that begins at the offset start, which is a
// number, "first" or "last" (the first message of the last chunk).
func consumeStream(l link, with consumption, start any) (*streamSubscription, error) {
	with.args = amqp091.Table{offsetHeader: start}
	c, err := newConsumer(l, with)
	if err != nil {
		return nil, err
	}
	return &streamSubscription{consumer: c, most: with.prefetch / 8}, nil
}

// Receive implements [feed.Subscription].
func (s *streamSubscription) Receive(ctx context.Context, dst []feed.Delivery, max int) ([]feed.Delivery, error) {
	var err error
	s.got, err = s.box.Take(ctx, s.got[:0], max)
	if err != nil {
		return dst, err
	}
	defer clear(s.got)
	before := len(dst)
	if dst, err = s.place(dst); err == nil {
		err = s.makeRoom()
	}
	if err != nil {
		err = fmt.Errorf("consume from stream %q: %w", s.queue, err)
		s.box.end(err)
		return dst[:before], err
	}
	return dst, nil
}

// place appends what was got, each with its offset.
func (s *streamSubscription) place(dst []feed.Delivery) ([]feed.Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var free []message.Message
	for i, d := range s.got {
		p, err := s.decode.properties(d)
		if err != nil {
			return dst, fmt.Errorf("delivery %d: %w", d.tag, err)
		}
		offset, err := offsetOf(&p)
		if err != nil {
			return dst, fmt.Errorf("delivery %d: %w", d.tag, err)
		}
		if len(free) == 0 { // few at a time, as in a slab
			free = make([]message.Message, min(len(s.got)-i, slabSize))
		}
		m := &free[0]
		free = free[1:]
		fill(m, d, &p)
		s.open = append(s.open, placed{offset + 1, d})
		dst = append(dst, feed.Delivery{Message: m, Tag: offset + 1})
	}
	return dst, nil
}

// makeRoom lets the broker send more. It tells so now and then, not each time.
func (s *streamSubscription) makeRoom() error {
	if s.owed += len(s.got); s.owed <= s.most {
		return nil
	}
	s.owed = 0
	return s.ch.Ack(s.got[len(s.got)-1].tag, true)
}

// offsetOf returns the offset of a delivery with the given properties. Headers
// that nest too deep to be headers of a message hold it all the same.
func offsetOf(p *Properties) (uint64, error) {
	headers := p.Headers
	if p.RawHeaders != nil {
		var err error
		if headers, err = readTable(p.RawHeaders, maxFrame); err != nil {
			return 0, fmt.Errorf("headers: %w", err)
		}
	}
	offset, ok := headers[offsetHeader].(int64)
	if !ok || offset < 0 {
		return 0, errors.New("it has no offset: the queue is no stream")
	}
	return uint64(offset), nil
}

// Settle implements [feed.Subscription]. It tells the broker nothing.
func (s *streamSubscription) Settle(_ context.Context, list []feed.Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errSubscriptionClosed
	}
	for _, e := range list {
		i, err := s.find(e.Tag)
		if err != nil {
			return fmt.Errorf("settle: %w", err)
		}
		s.open[i].delivery = nil
	}
	head := 0
	for head < len(s.open) && s.open[head].delivery == nil {
		head++
	}
	s.open = slices.Delete(s.open, 0, head)
	if !s.link.Alive() {
		return fmt.Errorf("settle: %w", errLinkClosed)
	}
	return nil
}

// find returns the place of an unsettled delivery. The caller holds mu.
func (s *streamSubscription) find(tag uint64) (int, error) {
	i, ok := slices.BinarySearchFunc(s.open, tag, func(p placed, tag uint64) int {
		switch {
		case p.tag < tag:
			return -1
		case p.tag > tag:
			return 1
		}
		return 0
	})
	if !ok || s.open[i].delivery == nil {
		return 0, fmt.Errorf("delivery %d is not unsettled", tag)
	}
	return i, nil
}

// Describe implements [feed.Describer].
func (s *streamSubscription) Describe(tag uint64) (feed.Original, error) {
	s.mu.Lock()
	var d *delivery
	i, err := s.find(tag)
	if err == nil {
		d = s.open[i].delivery
	}
	s.mu.Unlock()
	if err != nil {
		return feed.Original{}, fmt.Errorf("describe: %w", err)
	}
	return describe(d, "stream "+s.queue)
}

// Close ends the consumer. The stream keeps everything.
func (s *streamSubscription) Close() error {
	s.close.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.box.end(errSubscriptionClosed)
		err := bounded(context.Background(), s.link, closeTimeout, s.ch.Close)
		s.pump.Wait()
		if err != nil && !errors.Is(err, amqp091.ErrClosed) {
			s.fail = fmt.Errorf("close channel: %w", err)
		}
	})
	return s.fail
}
