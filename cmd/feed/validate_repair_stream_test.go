package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	watermill "github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// stream is one of n messages, of whose last chunk End tells some offset.
type stream struct {
	n, end uint64
	grows  time.Duration // between two more messages; 0: it does not
	fails  error         // behind the third message
	open   int           // subscriptions
}

func (s *stream) End(context.Context, string) (uint64, bool, error) { return s.end, s.n > 0, nil }

func (s *stream) SubscribeFrom(_ context.Context, _ string, r feed.Resumption) (feed.Subscription, error) {
	s.open++
	sub := &streamReader{stream: s}
	if r.Committed != nil {
		sub.next = r.Committed.Offset
	}
	return sub, nil
}

type streamReader struct {
	*stream
	next uint64
}

func (s *streamReader) Receive(ctx context.Context, dst []feed.Delivery, limit int) ([]feed.Delivery, error) {
	switch {
	case ctx.Err() != nil: // also when there is something, as the source of a broker
		return dst, ctx.Err()
	case s.fails != nil && s.next > 2:
		return dst, s.fails
	}
	if s.next >= s.n {
		if s.grows == 0 {
			<-ctx.Done()
			return dst, ctx.Err()
		}
		select {
		case <-time.After(s.grows):
			s.n++
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
	for ; limit > 0 && s.next < s.n; limit-- {
		s.next++
		dst = append(dst, feed.Delivery{Message: watermill.NewMessage("", nil), Tag: s.next})
	}
	return dst, nil
}

func (s *streamReader) Settle(context.Context, []feed.Settlement) error { return nil }

func (s *streamReader) Close() error {
	s.open--
	return nil
}

// readSlowly reads a stream to its end, and takes a while for each part of it.
func readSlowly(t *testing.T, s *stream) (n int, err error) {
	t.Helper()
	toNow := &streamToNow{s, tail}
	sub, err := toNow.SubscribeBatch(t.Context(), "")
	if err != nil {
		return 0, err
	}
	for err == nil {
		var got []feed.Delivery
		got, err = sub.Receive(t.Context(), nil, 3)
		n += len(got)
		<-time.After(time.Minute) // a sink that is slow
	}
	if closeErr := sub.Close(); closeErr != nil || s.open != 0 {
		t.Errorf("%d are open: %v", s.open, closeErr)
	}
	return n, err
}

// TestStreamToNow: all that a stream has is read, however slow the route is, and a
// stream that grows ends.
func TestStreamToNow(t *testing.T) {
	torn := errors.New("torn")
	for name, tt := range map[string]struct {
		stream stream
		least  int
		end    error
	}{
		"one that rests":  {stream{n: 100, end: 90}, 100, io.EOF},
		"one that grows":  {stream{n: 100, end: 90, grows: time.Second}, 100, io.EOF},
		"an empty one":    {stream{}, 0, io.EOF},
		"one that breaks": {stream{n: 100, end: 1, fails: torn}, 0, torn},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, err := readSlowly(t, &tt.stream)
				if !errors.Is(err, tt.end) || n < tt.least || n > tt.least+10 {
					t.Errorf("%d messages, want %d: %v", n, tt.least, err)
				}
			})
		})
	}
}
