package mqtt

import (
	"fmt"

	"github.com/eclipse/paho.golang/packets"
)

// receiving holds the deliveries that were handed out, by their tags, and
// decides what may be acknowledged: MQTT 5.0 §4.6 wants the PUBACKs in the order
// of the publishes, so that one which is not settled keeps back those behind it.
type receiving struct {
	base    uint64 // tag of slots[head]; 0 before the first
	slots   []slot // a ring
	head, n int
}

// slot is a delivery or, once it was settled out of turn, what is to be known of
// it.
type slot struct {
	delivery *delivery
	id       uint16
	settled  bool
	sum      uint64
}

// add takes the next delivery in and returns its tag.
func (w *receiving) add(d *delivery) uint64 {
	w.base = max(w.base, 1)
	if w.n == len(w.slots) {
		bigger := make([]slot, max(64, 2*len(w.slots)))
		for i := range w.n {
			bigger[i] = *w.at(i)
		}
		w.slots, w.head = bigger, 0
	}
	w.n++
	*w.at(w.n - 1) = slot{delivery: d, id: d.id}
	return w.base + uint64(w.n) - 1
}

func (w *receiving) at(i int) *slot { return &w.slots[(w.head+i)%len(w.slots)] }

// unsettled returns the slot of an unsettled delivery.
func (w *receiving) unsettled(tag uint64) (*slot, error) {
	if tag >= w.base && tag < w.base+uint64(w.n) {
		if s := w.at(int(tag - w.base)); !s.settled {
			return s, nil
		}
	}
	return nil, fmt.Errorf("delivery %d is not unsettled", tag)
}

// settle marks a delivery as settled.
func (w *receiving) settle(tag uint64) error {
	s, err := w.unsettled(tag)
	if err != nil {
		return err
	}
	s.settled = true
	return nil
}

// advance drops the settled deliveries at the head and appends their PUBACKs
// to p.
func (w *receiving) advance(p []byte) []byte {
	for w.n > 0 && w.at(0).settled {
		if id := w.at(0).id; id != 0 {
			p = append(p, packets.PUBACK<<4, 2, byte(id>>8), byte(id))
		}
		*w.at(0) = slot{}
		w.head = (w.head + 1) % len(w.slots)
		w.base++
		w.n--
	}
	return p
}

// pubackSize is the length of a PUBACK that advance writes.
const pubackSize = 4

// release frees the memory of a settled delivery that waits for its turn, if
// tag is one.
func (w *receiving) release(tag uint64) {
	if tag < w.base || tag >= w.base+uint64(w.n) {
		return
	}
	if s := w.at(int(tag - w.base)); s.settled && s.delivery != nil {
		s.sum, s.delivery = s.delivery.sum(), nil
	}
}

// outOfTurn returns the settled deliveries that wait for their turn. Each has
// been released.
func (w *receiving) outOfTurn() settledBefore {
	all := settledBefore{}
	for i := range w.n {
		if s := w.at(i); s.settled && s.id != 0 {
			all[s.id] = s.sum
		}
	}
	return all
}

// unsettledQoS0 counts the unsettled deliveries that the broker does not send
// again.
func (w *receiving) unsettledQoS0() (n int) {
	for i := range w.n {
		if s := w.at(i); !s.settled && s.id == 0 {
			n++
		}
	}
	return n
}

// settledBefore remembers, from one connection of a session to the next,
// deliveries that were settled out of turn, by their packet ids. The broker has
// had no PUBACK for them, so it cannot have used their ids for anything else: it
// must send them again with the same ids, marked as duplicates, before anything
// new (MQTT 5.0 §4.4). They are then acknowledged in their turn instead of being
// handed out again.
type settledBefore map[uint16]uint64

// past is what the next connection of a session is to know of the earlier ones.
type past struct {
	settled settledBefore
	lost    int // settled deliveries that come again, of which nobody has learned
}

// takes reports whether d is one of them. The first delivery that is not sent
// again ends the memory; with QoS 0 it has no place in that order.
func (s settledBefore) takes(d *delivery) bool {
	if len(s) == 0 || d.id == 0 {
		return false
	}
	if !d.duplicate {
		clear(s)
		return false
	}
	sum, ok := s[d.id]
	delete(s, d.id)
	return ok && sum == d.sum()
}
