package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"

	"github.com/kraft-edge/datafeed/feed"
)

func qos0(payload string) *packets.Publish {
	return &packets.Publish{Topic: "plant/a", Payload: []byte(payload), Properties: &packets.Properties{}}
}

func qos1(payload string) *packets.Publish {
	return &packets.Publish{Topic: "plant/a", QoS: 1, Payload: []byte(payload), Properties: &packets.Properties{}}
}

// pipedSource is a source that talks to b by pipes, in a bubble of
// testing/synctest.
func pipedSource(t *testing.T, b *fakeSession, log *testLog, change ...func(*SourceConfig)) *Source {
	s := logTestSource(t, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(log, nil))}, "mqtt://pipe", change...)
	overPipes(s, b.fakeBroker)
	return s
}

// openSession subscribes in a bubble, where no timer of the test may run.
func openSession(t *testing.T, s *Source) *subscription {
	t.Helper()
	sub, err := s.subscribe(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// What came with QoS 0 and goes back does not come again: it is counted,
// whether it was handed out, still waited, or came when the subscription had
// been closed.
func TestLostQoS0IsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newFakeSession(t), &testLog{}
		s := pipedSource(t, b, log)
		sub := openSession(t, s)
		b.publish(qos0("settled"), qos0("a"), qos1("b"), qos0("c"), qos0("d"))
		settle(t, sub, receive(t, sub, 3)[0])
		settle(t, sub, receive(t, sub, 1)...)
		synctest.Wait() // until d has been read
		sub.box.End(errSubscriptionClosed)
		b.publish(qos0("e"))
		synctest.Wait()
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
		if n := s.Events()[eventQoS0Lost]; n != 3 || !log.has("level=WARN") || !log.has("messages=3") {
			t.Errorf("%d are counted as lost, want a, d and e; log: %s", n, log)
		}
		s.Close()
		b.tasks.Wait()
	})
}

// Publishes with QoS 0 are no burden to the broker's window, and must not grow
// without bound behind an unsettled one.
func TestQoS0BehindAnUnsettledDeliveryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newFakeSession(t)
		s := pipedSource(t, b, &testLog{}, func(c *SourceConfig) { c.ReceiveMaximum = 4 })
		sub := openSession(t, s)
		b.publish(qos1("head"))
		head := receive(t, sub, 1)
		for i := range 10 {
			b.publish(qos0(fmt.Sprint(i)))
		}
		settle(t, sub, receive(t, sub, 3)...)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if more, err := sub.Receive(ctx, nil, 10); len(more) != 0 || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("%v beyond the window, %v", payloads(more), err)
		}
		settle(t, sub, head...)
		if got := payloads(receive(t, sub, 4)); !slices.Equal(got, []string{"3", "4", "5", "6"}) {
			t.Errorf("got %v", got)
		}
		s.Close()
		b.tasks.Wait()
	})
}

// endingConn says in its own way that the peer has closed.
type endingConn struct {
	net.Conn
	end error
}

func (c endingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.EOF) {
		err = c.end
	}
	return n, err
}

// In whatever way a broker closes each connection soon after it was opened:
// another client may have the session, and the source does not come back at
// once for ever, nor trust what it remembers.
func TestConnectionsClosedSoon(t *testing.T) {
	for name, end := range map[string]error{
		"EOF":            io.EOF,
		"reset":          &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"broken pipe":    &net.OpError{Op: "write", Err: syscall.EPIPE},
		"unexpected EOF": io.ErrUnexpectedEOF,
	} {
		for _, remembers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, remembers %v", name, remembers), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newFakeSession(t)
					log := &testLog{}
					s := pipedSource(t, b, log)
					dial := s.dial
					s.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
						nc, err := dial(ctx, network, address)
						return endingConn{nc, end}, err
					}
					if remembers {
						b.exists = true
						b.put(t, numberedPayloads(2)...)
					}
					var pauses []time.Duration
					for range 5 {
						begin := time.Now()
						sub := openSession(t, s)
						pauses = append(pauses, time.Since(begin))
						if remembers {
							settle(t, sub, receive(t, sub, 2)[1])
						}
						b.current().nc.Close()
						if _, err := sub.Receive(t.Context(), nil, 1); !hungUp(err) {
							t.Fatalf("receive: %v", err)
						}
						time.Sleep(2 * shortLife) // of fake time, for the route's own affairs
						err := sub.Close()
						if lost := (*feed.SettleLostError)(nil); errors.As(err, &lost) != remembers || remembers && lost.Settled != 1 {
							t.Fatalf("close: %v", err)
						}
					}
					if pauses[2] != 0 || pauses[3] < takeoverPause/2 || pauses[4] <= pauses[3] {
						t.Errorf("pauses %v", pauses)
					}
					if n := s.Events()[eventClosedSoon]; n != 5 || !log.has("level=ERROR") || !log.has("soon after each connect") {
						t.Errorf("%d counted; log: %s", n, log)
					}
					s.Close()
					b.tasks.Wait()
				})
			})
		}
	}
}
