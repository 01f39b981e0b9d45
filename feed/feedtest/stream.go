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

// Stream is an in-memory source with offsets, which can lose its beginning, its
// end and its connections on command. It is a [feed.OffsetSubscriber]. Safe for
// concurrent use; the zero value is an empty stream.
type Stream struct {
	// Batch is the most deliveries that Receive returns; 0 is no limit.
	Batch int

	mu      sync.Mutex
	base    uint64 // offset of the first message
	kept    []string
	unused  map[uint64]bool // offsets without a message
	ended   bool
	life    int
	changed chan struct{}
	misuse  []error
}

// Put appends messages.
func (s *Stream) Put(payloads ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, payloads...)
	s.signal()
}

// Skip uses an offset for no message, as a broker does for what it notes itself.
func (s *Stream) Skip() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unused == nil {
		s.unused = map[uint64]bool{}
	}
	s.unused[s.base+uint64(len(s.kept))] = true
	s.kept = append(s.kept, "")
	s.signal()
}

// End makes the subscriptions end with io.EOF after the last message.
func (s *Stream) End() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.signal()
}

// Break ends all subscriptions.
func (s *Stream) Break() { s.change(func() {}) }

// DropHead drops n messages at the beginning, as retention does.
func (s *Stream) DropHead(n int) {
	s.change(func() {
		n = min(n, len(s.kept))
		s.base, s.kept = s.base+uint64(n), s.kept[n:]
	})
}

// DropTail drops n messages at the end, as a power failure does: their offsets
// are used again.
func (s *Stream) DropTail(n int) {
	s.change(func() { s.kept = s.kept[:len(s.kept)-min(n, len(s.kept))] })
}

// Retain drops n messages at the beginning while subscriptions go on, which is what
// happens to those that are slow.
func (s *Stream) Retain(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, len(s.kept))
	s.base, s.kept = s.base+uint64(n), s.kept[n:]
}

// Wipe declares the stream anew.
func (s *Stream) Wipe() { s.change(func() { s.base, s.kept, s.unused = 0, nil, nil }) }

// Kept returns the payloads of the messages.
func (s *Stream) Kept() (payloads []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.kept {
		if !s.unused[s.base+uint64(i)] {
			payloads = append(payloads, p)
		}
	}
	return payloads
}

// Misuse returns how the stream was used against the contract.
func (s *Stream) Misuse() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.misuse...)
}

func (s *Stream) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
	s.life++
	s.signal()
}

// signal wakes who waits. The caller holds mu.
func (s *Stream) signal() {
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
}

// Stream implements [feed.OffsetSubscriber].
func (s *Stream) Stream(string) (string, bool) { return "stream", true }

// SubscribeFrom implements [feed.OffsetSubscriber].
func (s *Stream) SubscribeFrom(ctx context.Context, _ string, r feed.Resumption) (feed.Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reach, ok := r.Reach(); ok && reach >= s.base+uint64(len(s.kept)) {
		return nil, fmt.Errorf("%w: at offset %d, not %d", feed.ErrStreamEndsBefore, s.base+uint64(len(s.kept)), reach)
	}
	if s.changed == nil {
		s.changed = make(chan struct{})
	}
	sub := &streamSubscription{s: s, life: s.life, next: s.base, open: map[uint64]string{}}
	if r.Committed != nil {
		sub.next = max(sub.next, r.Committed.Offset)
	}
	return sub, ctx.Err()
}

// Earliest implements [feed.OffsetSubscriber].
func (s *Stream) Earliest(ctx context.Context, _ string) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.base
	for s.unused[first] {
		first++
	}
	return first, ctx.Err()
}

// Subscribe refuses: a stream is read from an offset.
func (s *Stream) Subscribe(context.Context, string) (<-chan *message.Message, error) {
	return nil, errors.New("feedtest.Stream is read with SubscribeFrom")
}

// Close does nothing.
func (s *Stream) Close() error { return nil }

type streamSubscription struct {
	s      *Stream
	life   int
	next   uint64
	open   map[uint64]string // by tag
	closed bool
}

func (s *streamSubscription) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		s.s.mu.Lock()
		if s.closed || s.life != s.s.life {
			s.s.mu.Unlock()
			return dst, errors.New("the connection was lost")
		}
		s.next = max(s.next, s.s.base)
		kept := s.s.kept[s.next-s.s.base:]
		if s.s.Batch > 0 {
			limit = min(limit, s.s.Batch)
		}
		n := 0
		for _, payload := range kept {
			if n == limit {
				break
			}
			s.next++
			if s.s.unused[s.next-1] {
				continue
			}
			n++
			s.open[s.next] = payload
			dst = append(dst, feed.Delivery{Message: &message.Message{Payload: []byte(payload), Metadata: message.Metadata{}}, Tag: s.next})
		}
		ended, changed := s.s.ended, s.s.changed
		s.s.mu.Unlock()
		switch {
		case n > 0:
			return dst, nil
		case ended:
			return dst, io.EOF
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (s *streamSubscription) Settle(_ context.Context, settlements []feed.Settlement) error {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	last := uint64(0)
	for _, one := range settlements {
		if _, ok := s.open[one.Tag]; !ok || one.Tag <= last {
			err := fmt.Errorf("settled tag %d after %d; it is not unsettled, or not in order", one.Tag, last)
			s.s.misuse = append(s.s.misuse, err)
			return err
		}
		delete(s.open, one.Tag)
		last = one.Tag
	}
	return nil
}

// Describe implements [feed.Describer].
func (s *streamSubscription) Describe(tag uint64) (feed.Original, error) {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	payload, ok := s.open[tag]
	if !ok {
		return feed.Original{}, fmt.Errorf("delivery %d is not unsettled", tag)
	}
	return feed.Original{Payload: []byte(payload), Format: "feedtest", Properties: []byte(`{}`), Origin: "in-memory stream"}, nil
}

func (s *streamSubscription) Close() error {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	s.closed = true
	return nil
}
