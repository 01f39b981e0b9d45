package amqp

import (
	"encoding/binary"
	"errors"
)

// content is a delivery while its frames come in: the method basic.deliver, a
// header with the body's size and the properties, and as many body frames as
// the size takes.
type content struct {
	box      *inbox // whose it is; nil when nothing is being received
	delivery *delivery
	headed   bool   // seen
	size     uint64 // of the body
	announce func() // what the inboxes got

	slab  slab
	arena arena
}

var (
	errUnexpectedHeader = errors.New("a content header came twice")
	errUnexpectedBody   = errors.New("a content body came without its header, or is longer than that says")
)

// isDeliver reports whether a method is basic.deliver: class 60, method 60.
func isDeliver(payload []byte) bool {
	return len(payload) >= 4 && binary.BigEndian.Uint32(payload) == 60<<16|60
}

// begin takes a basic.deliver, unless its consumer is unknown.
func (c *content) begin(d *decoder, payload []byte, boxes map[string]*inbox) (taken bool, err error) {
	r := reader{data: payload[4:]}
	consumer := r.shortString()
	c.box = boxes[string(consumer)]
	if c.box == nil {
		return false, r.err
	}
	m := c.slab.next()
	m.tag = r.uint64()
	m.redelivered = r.uint8()&1 == 1
	m.exchange = d.text(r.shortString())
	m.routingKey = d.text(r.shortString())
	c.delivery, c.headed = m, false
	return true, r.err
}

// header takes the content header.
func (c *content) header(payload []byte) error {
	if c.headed {
		return errUnexpectedHeader
	}
	c.headed = true
	r := reader{data: payload}
	r.skip(4) // class, weight
	c.size = r.uint64()
	if r.err != nil {
		return r.err
	}
	c.delivery.properties = append(c.arena.space(uint64(len(r.data))), r.data...)
	c.delivery.body = c.arena.space(c.size)
	if c.size == 0 {
		c.finish()
	}
	return nil
}

// body takes a body frame.
func (c *content) body(payload []byte) error {
	m := c.delivery
	if !c.headed || uint64(len(m.body)+len(payload)) > c.size {
		return errUnexpectedBody
	}
	m.body = append(m.body, payload...)
	if uint64(len(m.body)) == c.size {
		c.finish()
	}
	return nil
}

func (c *content) finish() {
	c.box.Put(c.delivery, c.announce)
	c.box, c.delivery = nil, nil
}

// slab allocates deliveries many at a time.
type slab struct{ free []delivery }

// slabSize is how many deliveries are allocated at once: few, because one that
// stays unsettled for long keeps the others of its slab.
const slabSize = 64

func (s *slab) next() *delivery {
	if len(s.free) == 0 {
		s.free = make([]delivery, slabSize)
	}
	d := &s.free[0]
	s.free = s.free[1:]
	return d
}

// arena allocates small bodies and properties many at a time. A large one gets
// memory of its own, as it comes in: the size that a peer announces is only its
// word.
type arena struct{ free []byte }

const (
	arenaSize = 16 << 10
	smallBody = 2 << 10
	maxAhead  = 1 << 20
)

// space returns an empty slice with room for size bytes.
func (a *arena) space(size uint64) []byte {
	if size > smallBody {
		return make([]byte, 0, min(size, maxAhead))
	}
	if uint64(len(a.free)) < size {
		a.free = make([]byte, arenaSize)
	}
	room := a.free[:0:size]
	a.free = a.free[size:]
	return room
}
