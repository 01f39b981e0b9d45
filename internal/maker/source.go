package maker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// ErrClosed is returned by a source or subscription that was closed.
var ErrClosed = errors.New("the source is closed")

// errBusy says that there is a subscription already.
var errBusy = errors.New("another subscription is open")

// Making makes messages. One call at a time.
type Making interface {
	// Make appends at most n items that are due. What it has appended stays as it
	// is. When it appends none, wait is how long until the next is due, or err says
	// why there is none: io.EOF that there will never be more.
	Make(dst []Item, n int) (items []Item, wait time.Duration, err error)
}

// Item is a message on its way, apart from the [message.Message] that carries it,
// which belongs to the route.
type Item struct {
	ID, Topic, Time, ContentType string
	Payload                      []byte
}

// Description is what a [Source] says of its messages.
type Description struct {
	Format string // of [feed.Original]
	Origin string // of [feed.Original]
	Window int    // most messages that are handed out and not settled
}

// Source hands out what a [Making] makes. It is safe for concurrent use.
type Source struct {
	about  Description
	making Making
	plain  *feed.HandOuts // Subscribe's

	mu sync.Mutex
	// back holds what was given back, in order. It comes before all that is
	// still to be made.
	back    []Item
	current *subscription
	closed  bool
}

var (
	_ feed.BatchSubscriber = (*Source)(nil)
	_ message.Subscriber   = (*Source)(nil)
)

// NewSource returns a source of what making makes.
func NewSource(about Description, making Making) *Source {
	return &Source{about: about, making: making, plain: feed.NewHandOuts(ErrClosed)}
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
	s.current = &subscription{source: s, firstTag: 1, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	return s.current, nil
}

// Wake has a Receive that waits ask the making again, before what it waits for
// is due.
func (s *Source) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		s.current.rouse()
	}
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

// take appends at most n items to dst, those that were given back first, and
// returns how many of them came again. If it took none, wait is how long until
// the next is due, or err says why there is none. Hold mu.
func (s *Source) take(dst []Item, n int) (items []Item, again int, wait time.Duration, err error) {
	again = min(n, len(s.back))
	dst = append(dst, s.back[:again]...)
	if s.back = s.back[again:]; len(s.back) == 0 {
		s.back = nil // so that the array goes
	}
	if n == again {
		return dst, again, 0, nil
	}
	items, wait, err = s.making.Make(dst, n-again)
	if len(items) > 0 { // an error comes again
		err = nil
	}
	return items, again, wait, err
}
