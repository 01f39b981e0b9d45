package lifetime_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/internal/lifetime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errClosed = errors.New("it is closed")

// Closing ends all uses, with its cause, and returns when the last of them has
// ended; nothing begins any more.
func TestCloseEndsUsesAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lifetime.New(errClosed)
		first, endFirst, err := l.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, endSecond, err := l.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{}, 2)
		for range 2 {
			go func() {
				l.Close()
				closed <- struct{}{}
			}()
		}
		<-first.Done()
		<-second.Done()
		if !errors.Is(context.Cause(first), errClosed) || !errors.Is(context.Cause(second), errClosed) {
			t.Errorf("the causes are %v and %v, want %v", context.Cause(first), context.Cause(second), errClosed)
		}
		if _, _, err := l.Begin(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("a use after Close: %v, want %v", err, errClosed)
		}
		endFirst()
		synctest.Wait()
		if len(closed) > 0 {
			t.Error("Close has returned before the last use has ended")
		}
		endSecond()
		<-closed
		<-closed
	})
}

// The context of a use ends with that of its caller, and when the use does, with
// their causes.
func TestContextOfUse(t *testing.T) {
	l := lifetime.New(errClosed)
	defer l.Close()
	own := errors.New("the caller's")
	caller, cancel := context.WithCancelCause(t.Context())
	ctx, end, err := l.Begin(caller)
	if err != nil {
		t.Fatal(err)
	}
	cancel(own)
	if <-ctx.Done(); !errors.Is(context.Cause(ctx), own) {
		t.Errorf("the cause is %v, want %v", context.Cause(ctx), own)
	}
	end()
	ctx, end, err = l.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	end()
	if ctx.Err() == nil {
		t.Error("the context outlives its use")
	}
}
