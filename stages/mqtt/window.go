package mqtt

// window holds the publishes of one connection that await their PUBACK.
//
// Publishes are numbered from 0 on; number n has the packet id n mod 65535 + 1.
// A window is a contiguous run of numbers, [base, next), not longer than its
// size, so that an id is never used twice at once. A broker acknowledges in
// the order of the publishes (MQTT 5.0 §4.6); one that does not is served all
// the same, except that its oldest publish holds the window.
//
// Its methods are called with the connection's lock held, but for set.
type window struct {
	size int
	slow bool   // grows to its size with what is acknowledged
	base uint64 // all before it are acknowledged
	next uint64 // the first that was not handed to the socket
	// ring maps number mod len to what the caller calls the publish, or to
	// acknowledged. Its length is a power of two.
	ring []int32
}

const acknowledged = -1

func newWindow(size int) window {
	n := 1
	for n < size {
		n <<= 1
	}
	return window{size: size, ring: make([]int32, n)}
}

func packetID(n uint64) uint16 { return uint16(n%maxPacketID) + 1 }

// set notes what publish n stands for. The writer calls it without the lock,
// for numbers in [next, base+size): ack looks at them only after they have
// been made known by raising next.
func (w *window) set(n uint64, what int) { w.ring[n&uint64(len(w.ring)-1)] = int32(what) }

// room returns how many publishes may be outstanding at once: the size or, in a
// slow window, one and then one more for each that was acknowledged, so that it
// doubles each time it has been acknowledged as a whole.
func (w *window) room() int {
	if w.slow && w.base < uint64(w.size) {
		return int(min(w.base+1, uint64(w.size)))
	}
	return w.size
}

// cutShort reports, for the window of a connection that was lost, whether the
// next connection must begin slowly: publishes were outstanding, or this one was
// slow and had not grown to its size yet.
//
// Mosquitto, for one, may close the connection after a publish that it refuses.
// What it has not read by then turns the close into a reset, which discards the
// PUBACKs that Nagle's algorithm held back: with a full window that may be all
// but the first, each time. A publish sent alone leaves nothing unread, so that
// its PUBACK arrives.
func (w *window) cutShort() bool {
	return w.next > w.base || w.slow && w.room() < w.size
}

// outstanding returns how many numbers the window spans.
func (w *window) outstanding() int { return int(w.next - w.base) }

// ack takes an acknowledgement and returns what it is for. It reports false
// for an id that is not in flight.
func (w *window) ack(id uint16) (what int, ok bool) {
	if id == 0 {
		return 0, false
	}
	offset := (uint64(id) - uint64(packetID(w.base)) + maxPacketID) % maxPacketID
	n := w.base + offset
	if n >= w.next {
		return 0, false
	}
	mask := uint64(len(w.ring) - 1)
	what = int(w.ring[n&mask])
	if what == acknowledged {
		return 0, false
	}
	w.ring[n&mask] = acknowledged
	for w.base < w.next && w.ring[w.base&mask] == acknowledged {
		w.base++
	}
	return what, true
}

// unacknowledged appends what is still in flight, in the order of the wire.
func (w *window) unacknowledged(dst []int) []int {
	for n := w.base; n < w.next; n++ {
		if what := w.ring[n&uint64(len(w.ring)-1)]; what != acknowledged {
			dst = append(dst, int(what))
		}
	}
	return dst
}
