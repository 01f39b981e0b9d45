package amqp

import (
	"encoding/binary"
	"errors"
	"time"
)

// content is a delivery while its frames come in: the method basic.deliver, a
// header with the body's size and the properties, and as many body frames as
// the size takes.
type content struct {
	box      *inbox // whose it is; nil when nothing is being received
	delivery *delivery
	headed   bool   // seen
	size     uint64 // of the body

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
	m.DeliveryTag = r.uint64()
	m.Redelivered = r.uint8()&1 == 1
	m.Exchange = d.text(r.shortString())
	m.RoutingKey = d.text(r.shortString())
	c.delivery, c.headed = m, false
	return true, r.err
}

// header takes the content header.
func (c *content) header(d *decoder, payload []byte) error {
	if c.headed {
		return errUnexpectedHeader
	}
	c.headed = true
	r := reader{data: payload}
	r.skip(4) // class, weight
	c.size = r.uint64()
	d.properties(&r, c.delivery)
	if r.err != nil {
		return r.err
	}
	c.delivery.Body = c.arena.space(c.size)
	if c.size == 0 {
		c.finish()
	}
	return nil
}

// body takes a body frame.
func (c *content) body(payload []byte) error {
	m := c.delivery
	if !c.headed || uint64(len(m.Body)+len(payload)) > c.size {
		return errUnexpectedBody
	}
	m.Body = append(m.Body, payload...)
	if uint64(len(m.Body)) == c.size {
		c.finish()
	}
	return nil
}

func (c *content) finish() {
	c.box.put(c.delivery)
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

// arena allocates small bodies many at a time. A large one gets memory of its
// own, as it comes in: the size that a peer announces is only its word.
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

// decoder decodes what recurs, and remembers it.
type decoder struct {
	known map[string]string
}

// maxKnown bounds the texts that a decoder remembers.
const maxKnown = 4096

// text returns b as a string; the same one for equal bytes, as long as they
// recur.
func (d *decoder) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if s, ok := d.known[string(b)]; ok {
		return s
	}
	if d.known == nil || len(d.known) >= maxKnown {
		d.known = make(map[string]string)
	}
	s := string(b)
	d.known[s] = s
	return s
}

// The flags of the properties of class basic, in their order.
const (
	hasContentType     = 1 << 15
	hasContentEncoding = 1 << 14
	hasHeaders         = 1 << 13
	hasDeliveryMode    = 1 << 12
	hasPriority        = 1 << 11
	hasCorrelationID   = 1 << 10
	hasReplyTo         = 1 << 9
	hasExpiration      = 1 << 8
	hasMessageID       = 1 << 7
	hasTimestamp       = 1 << 6
	hasType            = 1 << 5
	hasUserID          = 1 << 4
	hasAppID           = 1 << 3
	hasReserved        = 1 << 2
	hasMoreFlags       = 1
)

// properties reads the property flags and the properties that they announce.
func (d *decoder) properties(r *reader, m *delivery) {
	flags := r.uint16()
	if flags&hasMoreFlags != 0 {
		r.fail() // class basic has no more than one word of them
		return
	}
	has := func(flag uint16) bool { return flags&flag != 0 }
	if has(hasContentType) {
		m.ContentType = d.text(r.shortString())
	}
	if has(hasContentEncoding) {
		m.ContentEncoding = d.text(r.shortString())
	}
	if has(hasHeaders) {
		m.setHeaders(r.longString())
	}
	if has(hasDeliveryMode) {
		m.DeliveryMode = r.uint8()
	}
	if has(hasPriority) {
		m.Priority = r.uint8()
	}
	if has(hasCorrelationID) {
		m.CorrelationId = string(r.shortString())
	}
	if has(hasReplyTo) {
		m.ReplyTo = string(r.shortString())
	}
	if has(hasExpiration) {
		m.Expiration = string(r.shortString())
	}
	if has(hasMessageID) {
		m.MessageId = string(r.shortString())
	}
	if has(hasTimestamp) {
		m.Timestamp = time.Unix(int64(r.uint64()), 0)
	}
	if has(hasType) {
		m.Type = d.text(r.shortString())
	}
	if has(hasUserID) {
		m.UserId = d.text(r.shortString())
	}
	if has(hasAppID) {
		m.AppId = d.text(r.shortString())
	}
	if has(hasReserved) {
		r.shortString()
	}
}
