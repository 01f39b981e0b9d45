package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
)

// errBlock says that the bytes of a block are not what a builder writes.
var errBlock = errors.New("the records of a block are damaged")

// rows reads the records of a block, one at a time, into the same memory.
type rows struct {
	rest  []byte
	left  int
	bad   bool
	texts [][]byte // by number, from 1

	hop     [6][]byte
	offsets bool

	// The record.
	flags                      uint64
	id, topic                  []byte
	size                       uint64
	digest                     uint32
	delivery, deliveryTopic    []byte
	tag                        uint64
	received, done             int64
	device, name, time         []byte // of the reading; the last as it was written
	seq                        uint64
	places                     []place
	reason                     []byte
	lastSeq                    uint64
	idBuffer, deliveryIDBuffer []byte
	timeBuffer                 []byte
}

type place struct {
	object   []byte
	position int64
}

// begin begins to read a block of n records.
func (r *rows) begin(raw []byte, n int) error {
	*r = rows{rest: raw, left: n, texts: r.texts[:0], places: r.places[:0], idBuffer: r.idBuffer[:0], deliveryIDBuffer: r.deliveryIDBuffer[:0], timeBuffer: r.timeBuffer[:0]}
	for i := range r.hop {
		r.hop[i] = r.whole()
	}
	if b := r.bytes(1); !r.bad {
		r.offsets = b[0] == 1
	}
	if r.bad {
		return errBlock
	}
	return nil
}

// next reads a record, and returns false after the last one.
func (r *rows) next() (bool, error) {
	if r.left == 0 {
		if len(r.rest) > 0 {
			return false, errBlock
		}
		return false, nil
	}
	r.left--
	r.flags = r.number()
	if o := r.flags & flagOutcome; o < uint64(feed.Delivered) || o > uint64(feed.Returned) || r.flags >= flagReason<<1 {
		return false, errBlock
	}
	r.id = r.difference(&r.idBuffer)
	r.topic = r.text()
	r.size = r.number()
	if b := r.bytes(4); !r.bad {
		r.digest = binary.LittleEndian.Uint32(b)
	}
	r.done += r.signed()
	if r.flags&flagSameDelivery == 0 {
		if r.flags&flagSameID != 0 {
			r.deliveryIDBuffer = append(r.deliveryIDBuffer[:0], r.id...)
			r.delivery = r.deliveryIDBuffer
		} else {
			r.delivery = r.difference(&r.deliveryIDBuffer)
		}
		r.deliveryTopic = r.text()
		r.tag += uint64(r.signed())
		r.received += r.signed()
	}
	r.device, r.name, r.time, r.seq = nil, nil, nil, 0
	if r.flags&flagReading != 0 {
		device, series := r.number(), r.text()
		if device > uint64(len(series)) {
			return false, errBlock
		}
		r.device, r.name, r.time = series[:device], series[device:], r.difference(&r.timeBuffer)
		r.lastSeq += uint64(r.signed())
		r.seq = r.lastSeq
	}
	r.places, r.reason = r.places[:0], nil
	if r.flags&flagPlaces != 0 {
		n := r.number()
		if n > mostPlaces {
			return false, errBlock
		}
		for range n {
			r.places = append(r.places, place{r.text(), r.signed()})
		}
	}
	if r.flags&flagReason != 0 {
		r.reason = r.text()
	}
	if r.bad {
		return false, errBlock
	}
	return true, nil
}

// entry returns the record, in memory of its own.
func (r *rows) entry() Entry {
	e := Entry{
		Feed: string(r.hop[0]), Route: string(r.hop[1]), Source: string(r.hop[2]), Sink: string(r.hop[3]), From: string(r.hop[4]), To: string(r.hop[5]),
		ID: string(r.id), Topic: string(r.topic), Size: int(r.size), Digest: fmt.Sprintf("%08x", r.digest),
		DeliveryID: string(r.delivery), DeliveryTopic: string(r.deliveryTopic), DeliveryTag: r.tag, Received: timeOf(r.received),
		Outcome: feed.Outcome(r.flags & flagOutcome).String(), Reason: string(r.reason), Done: timeOf(r.done),
	}
	if r.offsets {
		offset := r.tag - 1
		e.Offset = &offset
	}
	for _, p := range r.places {
		e.Places = append(e.Places, feed.Place{Object: string(p.object), Position: p.position})
	}
	if r.flags&flagReading != 0 {
		e.Reading = r.identity()
	}
	return e
}

// identity returns what the record says of its reading.
func (r *rows) identity() *Identity {
	nanos, _ := reading.ParseTime(string(r.time)) // 0 when it is no time
	return &Identity{Device: string(r.device), Tag: string(r.name), Time: nanos, Seq: r.seq}
}

func (r *rows) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	return n & r.took(size)
}

func (r *rows) signed() int64 {
	n, size := binary.Varint(r.rest)
	return n & int64(r.took(size))
}

// took moves on; it returns all ones, or 0 when there was no number.
func (r *rows) took(size int) uint64 {
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return ^uint64(0)
}

func (r *rows) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *rows) whole() []byte { return r.bytes(r.number()) }

func (r *rows) text() []byte {
	n := r.number()
	switch {
	case n == 0:
		text := r.whole()
		r.texts = append(r.texts, text)
		return text
	case n > uint64(len(r.texts)):
		r.bad, r.rest = true, nil
		return nil
	}
	return r.texts[n-1]
}

// difference changes a text to one that begins alike.
func (r *rows) difference(text *[]byte) []byte {
	n := r.number()
	if n > uint64(len(*text)) {
		r.bad, r.rest = true, nil
		return nil
	}
	*text = append((*text)[:n], r.whole()...)
	return *text
}
