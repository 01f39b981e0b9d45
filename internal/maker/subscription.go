package maker

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// subscription is one period of consuming. Its fields are guarded by the
// source's mutex.
type subscription struct {
	source *Source
	// out holds what was handed out, from the oldest unsettled one on; the
	// tag of out[0] is firstTag.
	out      []outItem
	firstTag uint64
	open     int // unsettled ones in out
	closed   bool
	done     chan struct{} // closed by Close
	wake     chan struct{} // the window has got room, or Wake; capacity 1
}

type outItem struct {
	Item
	settled bool
}

var (
	_ feed.Subscription = (*subscription)(nil)
	_ feed.Describer    = (*subscription)(nil)
)

// Receive implements [feed.Subscription].
func (u *subscription) Receive(ctx context.Context, dst []feed.Delivery, most int) ([]feed.Delivery, error) {
	for {
		if err := ctx.Err(); err != nil {
			return dst, err
		}
		got, wait, err := u.receive(dst, most)
		if err != nil || len(got) > len(dst) {
			return got, err
		}
		if err := u.await(ctx, wait); err != nil {
			return dst, err
		}
	}
}

// await waits until there may be something: for that long at most, or, when wait
// is 0, until the window has room.
func (u *subscription) await(ctx context.Context, wait time.Duration) error {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-due:
		return nil
	case <-u.wake:
		return nil
	case <-u.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// receive appends what is there. When that is nothing it returns how long to
// wait, 0 for as long as the window is full.
func (u *subscription) receive(dst []feed.Delivery, most int) ([]feed.Delivery, time.Duration, error) {
	s := u.source
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.closed {
		return dst, 0, ErrClosed
	}
	n := min(most, s.about.Window-u.open)
	if n <= 0 {
		return dst, 0, nil
	}
	items, again, wait, err := s.take(make([]Item, 0, min(n, 1024)), n)
	if err != nil {
		return dst, 0, err
	}
	for i, it := range items {
		u.out = append(u.out, outItem{Item: it})
		dst = append(dst, feed.Delivery{
			Message:     it.message(),
			Tag:         u.firstTag + uint64(len(u.out)) - 1,
			Redelivered: i < again,
		})
	}
	u.open += len(items)
	return dst, wait, nil
}

// message returns a new message, which its receiver may change.
func (it *Item) message() *message.Message {
	return &message.Message{
		UUID:    it.ID,
		Payload: it.Payload,
		Metadata: message.Metadata{
			feed.MetaTopic:       it.Topic,
			feed.MetaTime:        it.Time,
			feed.MetaContentType: it.ContentType,
		},
	}
}

// Settle implements [feed.Subscription].
func (u *subscription) Settle(_ context.Context, settlements []feed.Settlement) error {
	u.source.mu.Lock()
	defer u.source.mu.Unlock()
	if u.closed {
		return ErrClosed
	}
	for _, s := range settlements {
		if err := u.settle(s.Tag); err != nil {
			return err
		}
	}
	return nil
}

func (u *subscription) settle(tag uint64) error {
	i := tag - u.firstTag
	if tag < u.firstTag || i >= uint64(len(u.out)) || u.out[i].settled {
		return fmt.Errorf("%s: settle: tag %d is not unsettled", u.source.about.Format, tag)
	}
	u.out[i] = outItem{settled: true} // the payload may go
	u.open--
	for len(u.out) > 0 && u.out[0].settled {
		u.out = u.out[1:]
		u.firstTag++
	}
	u.rouse()
	return nil
}

// rouse ends a wait. Hold the source's mutex.
func (u *subscription) rouse() {
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// Describe implements [feed.Describer].
func (u *subscription) Describe(tag uint64) (feed.Original, error) {
	u.source.mu.Lock()
	defer u.source.mu.Unlock()
	i := tag - u.firstTag
	if tag < u.firstTag || i >= uint64(len(u.out)) || u.out[i].settled {
		return feed.Original{}, fmt.Errorf("%s: describe: tag %d is not unsettled", u.source.about.Format, tag)
	}
	return u.out[i].describe(u.source.about)
}

// Close implements [feed.Subscription].
func (u *subscription) Close() error {
	u.source.mu.Lock()
	defer u.source.mu.Unlock()
	u.giveBack()
	return nil
}

// giveBack ends the subscription. All that it has out was taken before what is
// still in back. Hold the source's mutex.
func (u *subscription) giveBack() {
	if u.closed {
		return
	}
	u.closed = true
	close(u.done)
	back := make([]Item, 0, u.open+len(u.source.back))
	for i := range u.out {
		if !u.out[i].settled {
			back = append(back, u.out[i].Item)
		}
	}
	u.source.back = append(back, u.source.back...)
	u.source.current = nil
}
