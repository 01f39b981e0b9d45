package readahead

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/kraft-edge/datafeed/feed"
)

// parcel is a delivery of some size.
type parcel struct {
	number int
	size   feed.Size
}

func newBuffer(limit feed.Size) *Buffer[parcel] {
	return New(limit, func(p parcel) feed.Size { return p.size })
}

// The reader waits while the buffer is full, which it says once each time, and
// goes on when Take has made room.
func TestABufferHoldsNoMoreThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuffer(100)
		put, full := 0, 0
		go func() {
			for i := range 10 {
				b.Put(parcel{i, 40}, func() { full++; b.Signal() })
				put++
			}
		}()
		var got []parcel
		for len(got) < 10 {
			synctest.Wait()
			n, bytes := b.Holds()
			if want := min(len(got)+2, 10); put != want || n != put-len(got) || bytes != feed.Size(40*n) {
				t.Fatalf("%d were put, of which %d wait with %v, want %d", put, n, bytes, want)
			}
			if b.Full() != (put < 10) || full != min(len(got)+1, 8) {
				t.Fatalf("full: %v, and said so %d times with %d taken", b.Full(), full, len(got))
			}
			var err error
			if got, err = b.Take(t.Context(), got, 1); err != nil {
				t.Fatal(err)
			}
		}
		for i, p := range got {
			if p.number != i {
				t.Errorf("number %d came as number %d", p.number, i)
			}
		}
		if n, bytes := b.Holds(); n != 0 || bytes != 0 {
			t.Errorf("the empty buffer holds %d with %v", n, bytes)
		}
	})
}

func TestABufferTakesOneThatExceedsItsLimit(t *testing.T) {
	b := newBuffer(100)
	b.Put(parcel{1, 1000}, b.Signal)
	if got, err := b.Take(t.Context(), nil, 10); err != nil || len(got) != 1 {
		t.Errorf("took %d, %v", len(got), err)
	}
}

// Nothing is woken for each delivery: only when many are there, or the reader
// says so.
func TestABufferSignalsSeldom(t *testing.T) {
	b := newBuffer(feed.MiB)
	for i := range signalEvery - 1 {
		b.Put(parcel{i, 1}, b.Signal)
	}
	select {
	case <-b.Wake():
		t.Fatal("signalled before there were many")
	default:
	}
	b.Put(parcel{signalEvery, 1}, b.Signal)
	select {
	case <-b.Wake():
	default:
		t.Fatal("many deliveries and no signal")
	}
}

// A reader that waits must not keep a subscription from ending, nor the
// connection from reading on behind it. What comes after the end is dropped, and
// what was there can still be looked at.
func TestABufferEndsUnderAWaitingReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuffer(100)
		dropped, read := 0, false
		go func() {
			for i := range 10 {
				if !b.Put(parcel{i, 80}, b.Signal) {
					dropped++
				}
			}
			read = true
		}()
		synctest.Wait()
		if read {
			t.Fatal("the reader did not wait")
		}
		over := errors.New("over")
		b.End(over)
		b.End(errors.New("again"))
		synctest.Wait()
		if !read || dropped != 9 {
			t.Errorf("the reader still waits, or %d were dropped", dropped)
		}
		for range 2 {
			if _, err := b.Take(context.Background(), nil, 10); !errors.Is(err, over) {
				t.Errorf("take: %v", err)
			}
			if err := b.Await(context.Background()); !errors.Is(err, over) {
				t.Errorf("await: %v", err)
			}
		}
		if rest := b.Rest(); len(rest) != 1 || rest[0].number != 0 {
			t.Errorf("the rest is %v", rest)
		}
		if n, bytes := b.Holds(); n != 0 || bytes != 0 {
			t.Errorf("%d deliveries of %v are kept", n, bytes)
		}
	})
}

// Without a bound the reader never waits again.
func TestABufferWithoutABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBuffer(100)
		read := false
		go func() {
			for i := range 10 {
				b.Put(parcel{i, 80}, b.Signal)
			}
			read = true
		}()
		synctest.Wait()
		b.Unbound()
		synctest.Wait()
		if n, _ := b.Holds(); !read || n != 10 {
			t.Errorf("the reader still waits, with %d", n)
		}
		if err := b.Await(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A Take of nothing blocks until its context ends, as one of an empty buffer.
func TestATakeEndsWithItsContext(t *testing.T) {
	b := newBuffer(100)
	b.Put(parcel{1, 1}, b.Signal)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := b.Take(ctx, nil, 0)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("take: %v", err)
	}
}
