package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// ended is a stream that can tell where it ends.
type ended interface {
	feed.OffsetSubscriber
	End(ctx context.Context, topic string) (offset uint64, found bool, err error)
}

// tail is for how long a stream is read on from its last chunk: what is newer than
// the beginning of the repair is not missing.
const tail = 5 * time.Second

// streamToNow reads a stream from its first message to what was its end.
type streamToNow struct {
	stream ended
	tail   time.Duration
}

func newStreamToNow(source feed.OffsetSubscriber) (*streamToNow, error) {
	stream, ok := source.(ended)
	if !ok {
		return nil, fmt.Errorf("%T does not tell where its stream ends", source)
	}
	return &streamToNow{stream, tail}, nil
}

// SubscribeBatch implements [feed.BatchSubscriber]. It begins anew: what was sent is
// not missing any more.
func (s *streamToNow) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	// Before it is consumed: what nobody takes would hold up the connection.
	end, found, err := s.stream.End(ctx, topic)
	if err != nil {
		return nil, err
	}
	sub, err := s.stream.SubscribeFrom(ctx, topic, feed.Resumption{})
	if err != nil {
		return nil, err
	}
	return &toNow{Subscription: sub, end: end, empty: !found, tail: s.tail}, nil
}

// toNow ends a subscription to a stream.
type toNow struct {
	feed.Subscription
	end   uint64
	empty bool
	tail  time.Duration
	until time.Time // zero before the last chunk
}

// Receive implements [feed.Subscription].
func (s *toNow) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	if s.empty {
		return dst, io.EOF
	}
	within := ctx
	if !s.until.IsZero() {
		var cancel context.CancelFunc
		within, cancel = context.WithDeadline(ctx, s.until)
		defer cancel()
	}
	dst, err := s.Subscription.Receive(within, dst, limit)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		return dst, io.EOF
	}
	if n := len(dst); err == nil && n > 0 && s.until.IsZero() && dst[n-1].Tag > s.end { // the offset plus one
		s.until = time.Now().Add(s.tail)
	}
	return dst, err
}

// closeSource closes a source, which is a Subscriber, too.
func closeSource(s feed.OffsetSubscriber) error {
	if c, ok := s.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
