package mqtt

import (
	"net"
	"slices"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/eclipse/paho.golang/packets"
	"github.com/kraft-edge/datafeed/feed"
	"pgregory.net/rapid"
)

// A broker that resets the connection after each publish it refuses, and whose
// answers but the first wait until the client is silent, so that the reset
// discards them: each refused message is found, and with few connections.
func TestResetsAfterRefusals(t *testing.T) {
	for name, refused := range map[string][]int{
		"the first":    {0},
		"the last":     {199},
		"neighbours":   {3, 4, 5},
		"far apart":    {3, 13, 99, 150},
		"all of a few": sequence(0, 5),
	} {
		t.Run(name, func(t *testing.T) {
			b := newFake(t)
			b.onPublish = resetAfterRefusal
			s := newTestSink(t, b.start().url(), func(c *Config) { c.MaxInflight = 100 })
			msgs := numbered(200)
			for _, i := range refused {
				feed.SetTopic(msgs[i], "secret")
			}
			// Each connection halves the way to the next one at least.
			found, tries := publishAll(t, s, msgs, 1+8*len(refused))
			if !slices.Equal(found, refused) {
				t.Errorf("refused: %v, want %v (in %d tries)", found, refused, tries)
			}
		})
	}
}

// resetAfterRefusal does what Mosquitto does with max_queued_messages 0 and
// Nagle's algorithm. It refuses the topic "secret".
func resetAfterRefusal(c *fakeConn, p *packets.Publish) {
	if c.over {
		return
	}
	refuse := p.Topic == "secret"
	silent := c.silent()
	if refuse && (!silent || len(c.held) > 0) {
		if err := c.nc.(*net.TCPConn).SetLinger(0); err != nil {
			c.b.t.Error(err)
		}
		c.over = true
		c.nc.Close()
		return
	}
	if refuse {
		c.puback(p.PacketID, 0x87, "")
		c.over = true
		c.nc.Close()
		return
	}
	if len(c.held) == 0 {
		c.puback(p.PacketID, 0, "")
	}
	c.held = append(c.held, p.PacketID)
	if silent {
		for _, id := range c.held[1:] {
			c.puback(id, 0, "")
		}
		c.held = nil
	}
}

// publishAll publishes msgs, again and again what failed transiently, and
// returns the numbers of those that failed permanently.
func publishAll(t *testing.T, s *Sink, msgs []*message.Message, most int) (refused []int, tries int) {
	t.Helper()
	open := msgs
	for ; len(open) > 0; tries++ {
		if tries == most {
			t.Fatalf("%d messages are still open after %d tries", len(open), tries)
		}
		err := publish(t, s, open...)
		if err == nil {
			return refused, tries + 1
		}
		var rest []*message.Message
		for _, f := range failures(t, err) {
			if m := open[f.Index]; feed.IsPermanent(f.Err) {
				refused = append(refused, atoi(t, m.Payload))
			} else {
				rest = append(rest, m)
			}
		}
		open = rest
	}
	return refused, tries
}

// After a connection that was lost with publishes in flight, the next one has
// one in flight, then two, and so on up to the full window.
func TestSlowStart(t *testing.T) {
	const size, total = 8, 64
	b := newFake(t)
	var groups []int // how many were in flight each time the client waited
	b.onPublish = func(c *fakeConn, p *packets.Publish) {
		if c.n == 0 && string(p.Payload) == "20" {
			c.over = true
			c.nc.Close()
		}
		if c.over {
			return
		}
		if c.held = append(c.held, p.PacketID); !c.silent() {
			return
		}
		if c.n == 1 {
			groups = append(groups, len(c.held))
		}
		for _, id := range c.held {
			c.puback(id, 0, "")
		}
		c.held = nil
	}
	s := newTestSink(t, b.start().url(), func(c *Config) { c.MaxInflight = size })
	msgs := numbered(total)
	failed := failures(t, publish(t, s, msgs...))
	if err := publish(t, s, msgs[failed[0].Index:]...); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	b.ended(1)
	if groups[0] != 1 || groups[1] > 2 || groups[2] > 4 || slices.Max(groups) != size {
		t.Errorf("%v were in flight, want 1, 2 and so on up to %d", groups, size)
	}
}

// A connection that ends while nothing is in flight says nothing about what was
// sent: the next one has the full window.
func TestNoSlowStartAfterAnIdleLoss(t *testing.T) {
	b := newFake(t).start()
	s := newTestSink(t, b.url())
	if err := publish(t, s, numbered(10)...); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.conns[0].nc.Close()
	b.mu.Unlock()
	<-s.conn.done
	if err := publish(t, s, numbered(10)...); err != nil {
		t.Fatal(err)
	}
	if s.conn.win.slow {
		t.Error("the next connection began slowly")
	}
}

// A window has room for its size; a slow one for no more than one beyond what
// was acknowledged, until that is its size.
func TestWindowRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, maxPacketID).Draw(t, "size")
		w := newWindow(size)
		w.base = rapid.Uint64Range(0, 200_000).Draw(t, "acknowledged")
		w.next = w.base
		if got := w.room(); got != size || w.cutShort() {
			t.Fatalf("room %d, want %d; cut short: %v", got, size, w.cutShort())
		}
		w.slow = true
		if got, want := uint64(w.room()), min(w.base+1, uint64(size)); got != want {
			t.Fatalf("slow: room %d, want %d", got, want)
		}
		if got, want := w.cutShort(), w.room() < size; got != want {
			t.Fatalf("slow: cut short %v with room %d of %d", got, w.room(), size)
		}
		w.next++
		if !w.cutShort() {
			t.Fatal("not cut short with a publish in flight")
		}
	})
}
