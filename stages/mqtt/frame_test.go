package mqtt

import (
	"bytes"
	"testing"

	"github.com/eclipse/paho.golang/packets"
	"pgregory.net/rapid"
)

// FuzzTake feeds a connection whatever a broker might send: it must neither
// panic, nor acknowledge more than was sent, nor ask for more than the largest
// packet allowed.
func FuzzTake(f *testing.F) {
	f.Add([]byte{0x40, 2, 0, 1, 0x40, 3, 0, 2, 0x10, 0x40, 4, 0, 3, 0x87, 0})
	f.Add([]byte{0xd0, 0, 0xe0, 0})
	f.Add([]byte{0x40, 0xff, 0xff, 0xff, 0x7f})
	for _, p := range []packets.Packet{
		&packets.Puback{PacketID: 2, ReasonCode: 0x97, Properties: &packets.Properties{ReasonString: "full", User: []packets.User{{Key: "a", Value: "b"}}}},
		&packets.Disconnect{ReasonCode: 0x9D, Properties: &packets.Properties{ServerReference: "elsewhere"}},
	} {
		var buf bytes.Buffer
		if _, err := p.WriteTo(&buf); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		const inFlight = 5
		c := &conn{win: newWindow(8), wake: make(chan struct{}, 1)}
		c.pings = 1
		for n := range uint64(inFlight) {
			c.win.set(n, int(n))
		}
		c.win.next = inFlight
		got, err := c.take(p)
		if got.used > len(p) || got.left < 0 || got.left > inFlight || got.rest < 0 || got.rest > longestRest || len(c.refusals) > inFlight || c.pongs > c.pings {
			t.Fatalf("of %d: %+v, %d refused", len(p), got, len(c.refusals))
		}
		if err == nil && (got.need <= len(p)-got.used || got.need > maxIncoming) {
			t.Fatalf("wants %d bytes with %d there", got.need, len(p)-got.used)
		}
		for _, r := range c.refusals {
			if !refused(r.code) || len(r.text) > 300 {
				t.Fatalf("refusal %+v", r)
			}
		}
	})
}

func FuzzConnack(f *testing.F) {
	f.Add([]byte{0, 0, 0})
	f.Add([]byte{0, 0, 6, 0x21, 0, 20, 0x22, 0, 10})
	f.Add([]byte{0, 0x87, 3, 0x1f, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		l, err := granted(body)
		if err == nil && (l.receiveMaximum < 1 || l.receiveMaximum > maxPacketID || l.maxPacketSize < 1 || l.keepAlive < -1) {
			t.Fatalf("granted %+v", l)
		}
	})
}

// However the bytes are cut, the same packets are read.
func TestTakeInPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		order := rapid.Permutation(ids(n)).Draw(t, "order")
		var wire []byte
		for _, id := range order {
			switch rapid.IntRange(0, 2).Draw(t, "form") {
			case 0:
				wire = append(wire, 0x40, 2, 0, id)
			case 1:
				wire = append(wire, 0x40, 3, 0, id, 0x10)
			default:
				wire = append(wire, 0x40, 9, 0, id, 0x97, 5, 0x1f, 0, 2, 'n', 'o')
			}
		}
		c := &conn{win: newWindow(n), wake: make(chan struct{}, 1)}
		for i := range uint64(n) {
			c.win.set(i, int(i))
		}
		c.win.next = uint64(n)
		for have := 0; len(wire) > 0; {
			have = min(len(wire), have+rapid.IntRange(1, 20).Draw(t, "more"))
			got, err := c.take(wire[:have])
			if err != nil {
				t.Fatal(err)
			}
			wire, have = wire[got.used:], have-got.used
		}
		if c.win.outstanding() != 0 {
			t.Fatalf("%d are outstanding", c.win.outstanding())
		}
		for _, r := range c.refusals {
			if r.text != "no" {
				t.Fatalf("refusal %+v", r)
			}
		}
	})
}

func ids(n int) []byte {
	var b []byte
	for i := range n {
		b = append(b, byte(i+1))
	}
	return b
}

// The window agrees with a map from ids to publishes.
func TestWindowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 20).Draw(t, "size")
		w := newWindow(size)
		// Start anywhere, so that ids wrap.
		w.base = rapid.Uint64Range(0, 200_000).Draw(t, "start")
		w.next = w.base
		model := map[uint16]int{}
		for what := range rapid.IntRange(0, 200).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "send") && w.next < w.base+uint64(size) {
				id := packetID(w.next)
				if _, used := model[id]; used || id == 0 {
					t.Fatalf("id %d is in flight", id)
				}
				w.set(w.next, what)
				w.next++
				model[id] = what
				continue
			}
			id := uint16(uint64(packetID(w.base)) + rapid.Uint64Range(0, uint64(size)+1).Draw(t, "ack"))
			want, known := model[id]
			got, ok := w.ack(id)
			if ok != known || ok && got != want {
				t.Fatalf("ack of %d: %d %v, want %d %v", id, got, ok, want, known)
			}
			delete(model, id)
			if open := w.unacknowledged(nil); len(open) != len(model) {
				t.Fatalf("%d unacknowledged, want %d", len(open), len(model))
			}
		}
	})
}

// The memory of a connection does not grow with what a broker claims.
func TestIncomingIsBounded(t *testing.T) {
	if _, _, need, err := frame([]byte{0x40, 0xff, 0xff, 0x01}); err != nil || need != 4+0x7fff {
		if need > maxIncoming || err == nil {
			t.Errorf("need %d, %v", need, err)
		}
	}
	for _, p := range [][]byte{{0x40, 0xff, 0xff, 0xff, 0x7f}, {0x40, 0x80, 0x80, 0x02}, {0x40, 0x80, 0x80, 0x80, 0x80, 0x01}} {
		if _, _, _, err := frame(p); err == nil {
			t.Errorf("% x is accepted", p)
		}
	}
}
