package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

// mutedConn fails to write once it is muted.
type mutedConn struct {
	net.Conn
	mute atomic.Pointer[error]
}

func (c *mutedConn) Write(p []byte) (int, error) {
	if err := c.mute.Load(); err != nil {
		return 0, *err
	}
	return c.Conn.Write(p)
}

// lostOf returns how many settled deliveries come again, as the error of Close
// says.
func lostOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 0
	}
	var lost *feed.SettleLostError
	if !errors.As(err, &lost) {
		t.Fatal(err)
	}
	return lost.Settled
}

// A settled delivery that comes again is counted once, by Settle or by Close, in
// whatever way the connection ends while it is settled; one that the next
// connection knows of does not come again.
func TestSettleLostCountsWhatComesAgain(t *testing.T) {
	for name, c := range map[string]struct {
		write error
		again []string
	}{
		"hung up": {&net.OpError{Op: "write", Err: syscall.EPIPE}, []string{"0", "1", "2"}},
		"timeout": {os.ErrDeadlineExceeded, []string{"0", "1"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFakeSession(t)
				s := pipedSource(t, b, &testLog{})
				var muted *mutedConn
				dial := s.dial
				s.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
					nc, err := dial(ctx, network, address)
					muted = &mutedConn{Conn: nc}
					return muted, err
				}
				b.exists = true
				b.put(t, numberedPayloads(3)...)
				sub := openSession(t, s)
				ds := receive(t, sub, 3)
				muted.mute.Store(&c.write)
				counted := 0
				if list := settlements(ds[0], ds[2]); sub.Settle(t.Context(), list) != nil {
					counted += len(list)
				}
				if _, err := sub.Receive(t.Context(), nil, 1); err == nil {
					t.Error("a connection that cannot be written to lives on")
				}
				counted += lostOf(t, sub.Close())
				next := openSession(t, s)
				if got := payloads(receive(t, next, len(c.again))); !slices.Equal(got, c.again) {
					t.Errorf("%v came again, want %v", got, c.again)
				}
				if want := len(c.again) - 1; counted != want { // 1 was not settled
					t.Errorf("%d settled deliveries are counted as lost, want %d", counted, want)
				}
				s.Close()
				b.tasks.Wait()
			})
		})
	}
}

// A connection that the route never has may end the memory of what was settled
// out of turn. The next subscription says so, and the events count both
// connections that were lost.
func TestSettleLostWhileSubscribing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		s := pipedSource(t, b, &testLog{})
		b.exists = true
		b.put(t, numberedPayloads(3)...)
		sub := openSession(t, s)
		settle(t, sub, receive(t, sub, 3)[1:]...)
		sub.fail(errors.New("cut"))
		if n := lostOf(t, sub.Close()); n != 0 {
			t.Fatalf("%d are counted as lost, which the next connection knows of", n)
		}
		b.onOther = func(c *fakeConn, p packets.Packet) {
			if _, ok := p.(*packets.Subscribe); ok && c.n < 3 {
				c.nc.Close()
				return
			}
			b.other(c, p)
		}
		for i := range 2 {
			if _, err := s.subscribe(t.Context(), ""); err == nil || !strings.Contains(err.Error(), errClosedByPeer.Error()) {
				t.Fatalf("subscribe %d: %v", i, err)
			}
		}
		sub = openSession(t, s)
		if got := payloads(receive(t, sub, 3)); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("got %v", got)
		}
		if n := lostOf(t, sub.Close()); n != 2 {
			t.Errorf("%d are counted as lost, want 2", n)
		}
		if n := lostOf(t, openSession(t, s).Close()); n != 0 {
			t.Errorf("%d are counted as lost again", n)
		}
		if e := s.Events(); e[eventConnected] != 5 || e[eventConnectionLost] != 3 {
			t.Errorf("events %v", e)
		}
		s.Close()
		b.tasks.Wait()
	})
}

// A connection that the stage itself gives up is none that was lost.
func TestGivingUpSubscribingIsNoLoss(t *testing.T) {
	for _, reason := range []error{context.Canceled, context.DeadlineExceeded} {
		t.Run(fmt.Sprint(reason), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newFakeSession(t)
				s := pipedSource(t, b, &testLog{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				b.onOther = func(*fakeConn, packets.Packet) { // no SUBACK
					if errors.Is(reason, context.Canceled) {
						cancel()
					}
				}
				if _, err := s.subscribe(ctx, ""); !errors.Is(err, reason) {
					t.Fatalf("subscribe: %v", err)
				}
				if e := s.Events(); e[eventConnected] != 1 || e[eventConnectionLost] != 0 {
					t.Errorf("events %v", e)
				}
				s.Close()
				b.tasks.Wait()
			})
		})
	}
}

// What Receive has taken when Close comes is in the account of Close, too.
func TestCloseWaitsForReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		s := pipedSource(t, b, &testLog{})
		sub := openSession(t, s)
		b.publish(qos0("a"), qos0("b"))
		synctest.Wait() // until they have been read
		sub.taking <- struct{}{}
		var err error
		if sub.got, err = sub.box.Take(t.Context(), nil, 10); err != nil || len(sub.got) != 2 {
			t.Fatalf("took %d, %v", len(sub.got), err)
		}
		closed := make(chan error)
		go func() { closed <- sub.Close() }()
		synctest.Wait()
		if _, err := sub.handOut(nil); err != nil {
			t.Error(err)
		}
		<-sub.taking
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		if n := s.Events()[eventQoS0Lost]; n != 2 {
			t.Errorf("%d are counted as lost, want 2", n)
		}
		s.Close()
		b.tasks.Wait()
	})
}
