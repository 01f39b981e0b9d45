package mqtt

import (
	"context"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.golang/packets"
	"github.com/kraft-edge/datafeed/feed"
)

// pipeSink returns a sink whose connections are pipes to b, for tests in a
// bubble of testing/synctest.
func pipeSink(t *testing.T, b *fakeBroker, change func(*Config)) *Sink {
	t.Helper()
	s := newTestSink(t, "mqtt://pipe", change)
	s.dial = func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		b.tasks.Go(func() { b.serve(server) })
		return client, nil
	}
	return s
}

// bubble runs f with fake time and waits for the broker's goroutines.
func bubble(t *testing.T, f func(t *testing.T, b *fakeBroker)) {
	synctest.Test(t, func(t *testing.T) {
		b := newFake(t)
		f(t, b)
		b.mu.Lock()
		for _, c := range b.conns {
			c.nc.Close()
		}
		b.mu.Unlock()
		b.tasks.Wait()
	})
}

func TestKeepAlive(t *testing.T) {
	for name, c := range map[string]struct {
		keepAlive time.Duration
		server    *uint16
		want      time.Duration // longest silence; 0: for ever
	}{
		"own":               {30 * time.Second, nil, 30 * time.Second},
		"none":              {0, nil, 0},
		"of the broker":     {30 * time.Second, ptr(4), 4 * time.Second},
		"broker wants none": {30 * time.Second, ptr(0), 0},
		"broker wants some": {0, ptr(10), 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *fakeBroker) {
				var pings []time.Time
				b.connack = &packets.Connack{Properties: &packets.Properties{ServerKeepAlive: c.server}}
				b.onPing = func(k *fakeConn) {
					pings = append(pings, time.Now())
					k.send(&packets.Pingresp{})
				}
				s := pipeSink(t, b, func(k *Config) { k.KeepAlive = c.keepAlive })
				last := time.Now()
				if err := publish(t, s, numbered(1)...); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute) // of fake time
				synctest.Wait()
				if c.want == 0 && len(pings) > 0 || c.want > 0 && len(pings) == 0 {
					t.Errorf("%d pings", len(pings))
				}
				for _, p := range pings {
					if d := p.Sub(last); d > c.want {
						t.Errorf("silent for %v", d)
					}
					last = p
				}
				if len(pings) > 600/int(c.want.Seconds()+1)*3 {
					t.Errorf("%d pings are too many", len(pings))
				}
				if err := s.Probe(t.Context()); err != nil {
					t.Error(err)
				}
				if len(b.conns) != 1 {
					t.Errorf("%d connections", len(b.conns))
				}
				s.Close()
			})
		})
	}
}

func ptr(n uint16) *uint16 { return &n }

func TestNoAnswerToPing(t *testing.T) {
	bubble(t, func(t *testing.T, b *fakeBroker) {
		b.onPing = func(c *fakeConn) {
			if c.n > 0 {
				c.send(&packets.Pingresp{})
			}
		}
		s := pipeSink(t, b, func(c *Config) { c.AckTimeout = 20 * time.Second })
		if err := publish(t, s, numbered(1)...); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		<-s.conn.done
		if err, d := s.conn.failure(), time.Since(start); d > time.Minute || !strings.Contains(err.Error(), "no answer to a ping") {
			t.Errorf("after %v: %v", d, err)
		}
		// The next call connects again.
		if err := s.Probe(t.Context()); err != nil {
			t.Error(err)
		}
		s.Close()
	})
}

func TestNoPuback(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(c *fakeConn, p *packets.Publish)
		fail   int // first failure; -1 for none
	}{
		"none at all": {func(*fakeConn, *packets.Publish) {}, 0},
		"one is missing": {func(c *fakeConn, p *packets.Publish) {
			if string(p.Payload) != "5" {
				c.puback(p.PacketID, 0, "")
			}
		}, 5},
		"slow but steady": {func(c *fakeConn, p *packets.Publish) {
			time.Sleep(15 * time.Second)
			c.puback(p.PacketID, 0, "")
		}, -1},
		"slow at the end": {func(c *fakeConn, p *packets.Publish) {
			if string(p.Payload) == "9" {
				time.Sleep(time.Minute)
			}
			c.puback(p.PacketID, 0, "")
		}, 9},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, b *fakeBroker) {
				b.onPublish = c.answer
				s := pipeSink(t, b, func(k *Config) { k.AckTimeout, k.KeepAlive = 20*time.Second, 0 })
				start := time.Now()
				err := s.PublishBatch(t.Context(), feed.NewBatch(numbered(10)...))
				if c.fail < 0 {
					if err != nil {
						t.Fatal(err)
					}
				} else {
					fs := failures(t, err)
					if fs[0].Index != c.fail || feed.IsPermanent(fs[0].Err) || !strings.Contains(fs[0].Err.Error(), "no PUBACK for 20s") {
						t.Errorf("got %v", fs[0])
					}
					if d := time.Since(start); d > 26*time.Second {
						t.Errorf("it took %v to notice", d)
					}
				}
				s.Close()
			})
		})
	}
}

// A broker that stops reading ends the write, with QoS 0 too.
func TestBrokerDoesNotRead(t *testing.T) {
	for _, qos := range []int{0, 1} {
		bubble(t, func(t *testing.T, b *fakeBroker) {
			stuck := make(chan struct{})
			b.onPublish = func(c *fakeConn, p *packets.Publish) { <-stuck }
			s := pipeSink(t, b, func(c *Config) { c.QoS, c.AckTimeout = qos, 20*time.Second })
			msgs := numbered(10)
			for _, m := range msgs {
				m.Payload = make([]byte, 40<<10)
			}
			start := time.Now()
			fs := failures(t, s.PublishBatch(t.Context(), feed.NewBatch(msgs...)))
			if d := time.Since(start); d > 26*time.Second || fs[len(fs)-1].Index != 9 {
				t.Errorf("after %v: %v", d, indexes(fs))
			}
			if qos == 1 && fs[0].Index != 0 {
				t.Errorf("failed: %v, want all", indexes(fs))
			}
			close(stuck)
			s.Close()
		})
	}
}
