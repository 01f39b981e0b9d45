package generate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// ErrClosed is returned by a source or subscription that was closed.
var ErrClosed = errors.New("generate: closed")

// errBusy says that there is a subscription already.
var errBusy = errors.New("generate: another subscription is open")

// Source hands out the readings of a [Generator]. It is safe for concurrent
// use.
type Source struct {
	config Config
	plain  *feed.HandOuts // Subscribe's

	mu        sync.Mutex
	generator *Generator
	made      int64
	firstDue  time.Time // of the readings; zero before the first Receive
	// back holds what was given back, in order. It comes before all that is
	// still to be made.
	back    []item
	current *subscription
	closed  bool
}

// chunkBytes is how much memory is allocated at a time for payloads.
const chunkBytes = 64 << 10

// item is a reading on its way, apart from the message that carries it, which
// belongs to the route.
type item struct {
	uuid, key, time string
	payload         []byte
}

var (
	_ feed.BatchSubscriber = (*Source)(nil)
	_ message.Subscriber   = (*Source)(nil)
)

// NewSource returns a source. It fails with what [Config.Validate] reports.
func NewSource(c Config, _ feed.StageEnv) (*Source, error) {
	g, err := NewGenerator(c)
	if err != nil {
		return nil, err
	}
	return &Source{config: c, generator: g, plain: feed.NewHandOuts(ErrClosed)}, nil
}

// SubscribeBatch begins with what earlier subscriptions gave back. The topic is
// of no concern. It does not block, and fails while another subscription is
// open.
func (s *Source) SubscribeBatch(ctx context.Context, _ string) (feed.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.current != nil:
		return nil, errBusy
	}
	s.current = &subscription{source: s, firstTag: 1, done: make(chan struct{}), freed: make(chan struct{}, 1)}
	return s.current, nil
}

// Close closes the subscription and waits for the goroutines of Subscribe.
// Idempotent.
func (s *Source) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.current != nil {
		s.current.giveBack()
	}
	s.mu.Unlock()
	s.plain.Close()
	return nil
}

// take appends at most n items to dst, those that were given back first. It
// returns how many of them came again, whether there will never be more, and
// otherwise how long until the next is due if it took none. Hold mu.
func (s *Source) take(dst []item, n int) (items []item, again int, ended bool, wait time.Duration) {
	again = min(n, len(s.back))
	dst = append(dst, s.back[:again]...)
	if s.back = s.back[again:]; len(s.back) == 0 {
		s.back = nil // so that the array goes
	}
	n -= again
	due, wait := s.due()
	n = int(min(int64(n), due))
	size := max(s.config.PayloadBytes, 200) // of a payload, more or less
	chunk := make([]byte, 0, max(size, min(n*size, chunkBytes)))
	for range n {
		reading := s.generator.Next()
		start := len(chunk)
		chunk = reading.AppendJSON(chunk, s.config.PayloadBytes)
		dst = append(dst, item{
			uuid:    reading.Device + "-" + decimal(reading.Seq),
			key:     reading.RoutingKey(),
			time:    reading.Time.Format(time.RFC3339Nano),
			payload: chunk[start:len(chunk):len(chunk)],
		})
		if cap(chunk)-len(chunk) < len(chunk)-start {
			chunk = make([]byte, 0, cap(chunk)) // payloads must not move
		}
	}
	s.made += int64(n)
	return dst, again, s.config.Count > 0 && s.made == s.config.Count, wait
}

// due returns how many readings are due and not yet made, and how long until
// the next one is.
func (s *Source) due() (n int64, wait time.Duration) {
	n = int64(maxWindow)
	if s.config.Rate > 0 {
		now := time.Now()
		if s.firstDue.IsZero() {
			s.firstDue = now
		}
		elapsed, rate := now.Sub(s.firstDue), int64(s.config.Rate)
		seconds, rest := int64(elapsed/time.Second), elapsed%time.Second
		n = seconds*rate + int64(rest)*rate/int64(time.Second) + 1 - s.made
		if n <= 0 {
			n = 0
			next := time.Duration(s.made/rate)*time.Second + (time.Duration(s.made%rate)*time.Second+time.Duration(rate)-1)/time.Duration(rate)
			wait = max(next-elapsed, time.Nanosecond)
		}
	}
	if s.config.Count > 0 {
		n = min(n, s.config.Count-s.made)
	}
	return n, wait
}
