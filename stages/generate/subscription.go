package generate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
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
	freed    chan struct{} // the window has got room; capacity 1
}

type outItem struct {
	item
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

// await waits until there may be something: for that long, or, when wait is 0,
// until the window has room.
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
	case <-u.freed:
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
	n := min(most, s.config.WindowSize-u.open)
	if n <= 0 {
		return dst, 0, nil
	}
	items, again, ended, wait := s.take(make([]item, 0, min(n, 1024)), n)
	if len(items) == 0 && ended {
		return dst, 0, io.EOF
	}
	for i, it := range items {
		u.out = append(u.out, outItem{item: it})
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
func (it *item) message() *message.Message {
	return &message.Message{
		UUID:    it.uuid,
		Payload: it.payload,
		Metadata: message.Metadata{
			feed.MetaTopic:       it.key,
			feed.MetaTime:        it.time,
			feed.MetaContentType: "application/json",
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
		return fmt.Errorf("generate: settle: tag %d is not unsettled", tag)
	}
	u.out[i] = outItem{settled: true} // the payload may go
	u.open--
	for len(u.out) > 0 && u.out[0].settled {
		u.out = u.out[1:]
		u.firstTag++
	}
	select {
	case u.freed <- struct{}{}:
	default:
	}
	return nil
}

// Describe implements [feed.Describer].
func (u *subscription) Describe(tag uint64) (feed.Original, error) {
	u.source.mu.Lock()
	defer u.source.mu.Unlock()
	i := tag - u.firstTag
	if tag < u.firstTag || i >= uint64(len(u.out)) || u.out[i].settled {
		return feed.Original{}, fmt.Errorf("generate: describe: tag %d is not unsettled", tag)
	}
	it := &u.out[i].item
	described, err := json.Marshal(properties{it.uuid, it.key, it.time})
	if err != nil {
		return feed.Original{}, fmt.Errorf("generate: describe: %w", err)
	}
	return feed.Original{Payload: it.payload, Format: Format, Properties: described, Origin: "generator of site " + u.source.config.Site}, nil
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
	back := make([]item, 0, u.open+len(u.source.back))
	for i := range u.out {
		if !u.out[i].settled {
			back = append(back, u.out[i].item)
		}
	}
	u.source.back = append(back, u.source.back...)
	u.source.current = nil
}

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
