package quarantine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// fetchBytes is how many bytes of items a [Source] reads at a time.
const fetchBytes = 16 * feed.MiB

// Restore makes the message of an item as its source had made it.
type Restore func(feed.Original) (*message.Message, error)

// Source hands out items of a quarantine as a broker's queue hands out messages,
// the oldest first, so that a route can deliver them: what the route settles as
// delivered or filtered is marked, what it gives back or quarantines again stays
// as it is. It has delivered all that it ever will when the last item was handed
// out, or when items that were delivered cannot be marked: it does not hand them
// out again, nor any others.
type Source struct {
	run     *Run
	query   Query
	restore Restore

	plain *feed.HandOuts

	back []Item // given back, to be handed out before the rest
	last int64  // the last id that was read
	tag  uint64
	lost Failures

	unmarked int64 // sent
	failed   error // why: nothing is handed out any more
}

var _ feed.BatchSubscriber = (*Source)(nil)

var errSourceClosed = errors.New("the quarantine's source is closed")

// NewSource returns a source of the items that q chooses, whatever its limit.
func NewSource(run *Run, q Query, restore Restore) *Source {
	return &Source{run: run, query: q, restore: restore, plain: feed.NewHandOuts(errSourceClosed), last: q.After}
}

// Subscribe hands the items out one at a time; a Nack brings one back, a little
// later each time.
// The channel closes when ctx ends, the source is closed, all items are acked,
// or the quarantine cannot be read: items that are left then are not marked.
func (s *Source) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	open := func(ctx context.Context) (feed.Subscription, error) { return s.SubscribeBatch(ctx, topic) }
	return s.plain.Subscribe(ctx, open, nil)
}

// SubscribeBatch hands out what no subscription before has settled. There is
// one subscription at a time.
func (s *Source) SubscribeBatch(context.Context, string) (feed.Subscription, error) {
	return &subscription{source: s, unsettled: map[uint64]Item{}}, nil
}

// Unrestored returns why items could not be made messages again; they were
// left out. Call it when the route has ended.
func (s *Source) Unrestored() Failures { return s.lost }

// Unmarked returns how many items were delivered but could not be marked, and
// why. Call it when the route has ended.
func (s *Source) Unmarked() (items int64, err error) { return s.unmarked, s.failed }

// Close ends plain subscriptions and waits for them. The editor is its owner's
// to close. Idempotent.
func (s *Source) Close() error {
	s.plain.Close()
	return nil
}

// next returns the items to hand out next: at most limit, and none when there
// are no more.
func (s *Source) next(ctx context.Context, limit int) ([]Item, error) {
	if len(s.back) > 0 {
		n := min(limit, len(s.back))
		items := s.back[:n]
		s.back = s.back[n:]
		return items, nil
	}
	q := s.query
	q.After, q.Limit = s.last, limit
	items, err := s.run.editor.Fetch(ctx, q, fetchBytes)
	if len(items) > 0 {
		s.last = items[len(items)-1].ID
	}
	return items, err
}

// subscription is one period of handing out.
type subscription struct {
	source    *Source
	unsettled map[uint64]Item
}

// Receive implements [feed.Subscription].
func (s *subscription) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	for {
		if s.source.failed != nil {
			return dst, io.EOF
		}
		items, err := s.source.next(ctx, limit)
		if err != nil {
			return dst, err
		}
		if len(items) == 0 {
			return dst, io.EOF
		}
		before := len(dst)
		for _, item := range items {
			m, err := s.source.restore(item.Original)
			if err != nil {
				s.source.lost.Add(fmt.Errorf("item %d: %w", item.ID, err))
				continue
			}
			s.source.tag++
			s.unsettled[s.source.tag] = item
			dst = append(dst, feed.Delivery{Message: m, Tag: s.source.tag})
		}
		if len(dst) > before {
			return dst, nil
		}
	}
}

// Settle marks what is done. When it fails the source hands out nothing more.
func (s *subscription) Settle(ctx context.Context, settlements []feed.Settlement) error {
	var done []int64
	for _, one := range settlements {
		item, ok := s.unsettled[one.Tag]
		if !ok {
			return fmt.Errorf("settle: delivery %d is not unsettled", one.Tag)
		}
		if one.Outcome == feed.Delivered || one.Outcome == feed.Filtered {
			done = append(done, item.ID)
		}
	}
	for _, one := range settlements { // also what cannot be marked: it would be sent again
		delete(s.unsettled, one.Tag)
	}
	if len(done) == 0 {
		return nil
	}
	marked, err := s.source.run.Mark(ctx, done)
	if err != nil {
		s.source.unmarked += int64(len(done) - marked)
		s.source.failed = err
	}
	return err
}

// Describe implements [feed.Describer].
func (s *subscription) Describe(tag uint64) (feed.Original, error) {
	item, ok := s.unsettled[tag]
	if !ok {
		return feed.Original{}, fmt.Errorf("describe: delivery %d is not unsettled", tag)
	}
	return item.Original, nil
}

// Close gives back what is unsettled, in order.
func (s *subscription) Close() error {
	back := make([]Item, 0, len(s.unsettled)+len(s.source.back))
	for _, item := range s.unsettled {
		back = append(back, item)
	}
	slices.SortFunc(back, func(a, b Item) int { return int(a.ID - b.ID) })
	s.source.back = append(back, s.source.back...)
	clear(s.unsettled)
	return nil
}
