package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// ended is a stream that can tell where it ends.
type ended interface {
	SubscribeFrom(ctx context.Context, topic string, r feed.Resumption) (feed.Subscription, error)
	End(ctx context.Context, topic string) (offset uint64, found bool, err error)
}

// tail is for how long the last chunk of a stream is looked at: what is newer than
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
	if err == nil && found {
		end, err = s.follow(ctx, topic, end)
	}
	if err != nil {
		return nil, err
	}
	sub, err := s.stream.SubscribeFrom(ctx, topic, feed.Resumption{})
	if err != nil {
		return nil, err
	}
	return &toNow{Subscription: sub, end: end, over: !found}, nil
}

// follow returns the last offset that the stream has after an offset of its last
// chunk. It takes nothing but this time: how long a route takes for what it gets says
// nothing of where the stream ends.
func (s *streamToNow) follow(ctx context.Context, topic string, end uint64) (_ uint64, err error) {
	sub, err := s.stream.SubscribeFrom(ctx, topic, feed.Resumption{Committed: &feed.Position{Offset: end}})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, sub.Close()) }()
	within, cancel := context.WithTimeout(ctx, s.tail)
	defer cancel()
	var got []feed.Delivery
	var seen []feed.Settlement
	for {
		got, err = sub.Receive(within, got[:0], 1000)
		seen = seen[:0]
		for _, d := range got {
			end = max(end, d.Tag-1) // the offset plus one
			seen = append(seen, feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered})
		}
		switch {
		case within.Err() != nil && ctx.Err() == nil:
			return end, nil
		case err != nil:
			return 0, err
		}
		if err := sub.Settle(ctx, seen); err != nil { // there are no more otherwise
			return 0, err
		}
	}
}

// toNow ends a subscription to a stream.
type toNow struct {
	feed.Subscription
	end  uint64
	over bool
}

// Receive implements [feed.Subscription].
func (s *toNow) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	if s.over {
		return dst, io.EOF
	}
	dst, err := s.Subscription.Receive(ctx, dst, limit)
	if n := len(dst); err == nil && n > 0 {
		s.over = dst[n-1].Tag > s.end // the offset plus one
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
