package feed_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// few is a subscription of a few messages that ends then.
type few struct {
	payloads []string
	settled  *[]string
	end      error
	closed   *int
}

func (f *few) Receive(ctx context.Context, dst []feed.Delivery, _ int) ([]feed.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return dst, err
	}
	if len(f.payloads) == 0 {
		return dst, f.end
	}
	return append(dst, feed.Delivery{Message: message.NewMessage("", []byte(f.payloads[0])), Tag: 1}), nil
}

func (f *few) Settle(_ context.Context, list []feed.Settlement) error {
	if len(list) == 0 {
		return nil
	}
	*f.settled = append(*f.settled, f.payloads[0])
	f.payloads = f.payloads[1:]
	return nil
}

func (f *few) Close() error {
	*f.closed++
	return f.end
}

// A plain subscription outlives those that it is made of, and those that could
// not be opened, when somebody wants to know why they ended.
func TestHandOutsOpenAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost, unreachable, closed := errors.New("lost"), errors.New("unreachable"), errors.New("closed")
		var settled []string
		opened, closes := 0, 0
		open := func(context.Context) (feed.Subscription, error) {
			switch opened++; opened {
			case 1:
				return &few{[]string{"1", "2"}, &settled, lost, &closes}, nil
			case 2, 3:
				return nil, unreachable
			}
			return &few{[]string{"3"}, &settled, lost, &closes}, nil
		}
		var reported []error
		h := feed.NewHandOuts(closed)
		out, err := h.Subscribe(t.Context(), open, func(err error) { reported = append(reported, err) })
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for _, want := range []string{"1", "2", "3"} {
			m := <-out
			if string(m.Payload) != want {
				t.Fatalf("got %s, want %s", m.Payload, want)
			}
			m.Ack()
		}
		if took := time.Since(begin); took < 300*time.Millisecond || took > time.Second {
			t.Errorf("opened three times more in %v", took)
		}
		m := <-out // never acked
		h.Close()
		h.Close()
		if m.Context().Err() == nil {
			t.Error("the message's context lives on")
		}
		if _, ok := <-out; ok {
			t.Error("the channel is open")
		}
		if !slices.Equal(settled, []string{"1", "2", "3"}) || closes != opened-2 {
			t.Errorf("settled %v, closed %d of %d", settled, closes, opened-2)
		}
		for i, want := range []error{lost, lost, unreachable, unreachable} { // the first is from closing
			if !errors.Is(reported[i], want) {
				t.Errorf("reported %v, want %v as number %d", reported, want, i)
			}
		}
		if _, err := h.Subscribe(t.Context(), open, nil); !errors.Is(err, closed) {
			t.Errorf("subscribe after Close: %v", err)
		}
	})
}

// Without anybody to report to, the channel ends with the subscription.
func TestHandOutsEnd(t *testing.T) {
	var settled []string
	closes := 0
	h := feed.NewHandOuts(errors.New("closed"))
	out, err := h.Subscribe(t.Context(), func(context.Context) (feed.Subscription, error) {
		return &few{[]string{"1"}, &settled, io.EOF, &closes}, nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := <-out
	m.Nack()
	m = <-out // again
	m.Ack()
	if _, ok := <-out; ok || closes != 1 || !slices.Equal(settled, []string{"1"}) {
		t.Errorf("open %v, closed %d times, settled %v", ok, closes, settled)
	}
	h.Close()
}

// A message that is refused again and again may be somebody else's once the
// subscription has ended.
func TestHandOutsNoticeTheEndWhileAMessageIsRefused(t *testing.T) {
	ended := errors.New("connection lost")
	reported := make(chan error, 10)
	h := feed.NewHandOuts(errors.New("closed"))
	open := func(context.Context) (feed.Subscription, error) { return lost{ended}, nil }
	out, err := h.Subscribe(t.Context(), open, func(err error) { reported <- err })
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for m := range out {
			m.Nack()
		}
	}()
	if err := <-reported; !errors.Is(err, ended) {
		t.Errorf("reported %v", err)
	}
	h.Close()
}

// lost hands out a message and has ended.
type lost struct{ err error }

func (lost) Receive(_ context.Context, dst []feed.Delivery, _ int) ([]feed.Delivery, error) {
	return append(dst, feed.Delivery{Message: message.NewMessage("1", nil), Tag: 1}), nil
}
func (l lost) Settle(context.Context, []feed.Settlement) error { return l.err }
func (lost) Close() error                                      { return nil }
