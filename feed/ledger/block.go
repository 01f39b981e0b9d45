package ledger

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// The flags of a record. The outcome has the lowest three bits.
const (
	flagOutcome      = 1<<3 - 1
	flagReading      = 1 << 3
	flagSameID       = 1 << 4 // the id is that of the delivery
	flagSameDelivery = 1 << 5 // of the record before
	flagPlaces       = 1 << 6
	flagReason       = 1 << 7
)

// Bounds of a block, in bytes before compression.
const (
	blockBytes = 128 << 10 // at which it is written
	mostBytes  = 1 << 20   // of one that is read: with its last record it is smaller
	mostText   = 1 << 10   // of an id, a topic, a reason, a name; the rest is cut off
	mostPlaces = 64        // of a record
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// block is records of one route, as bytes.
type block struct {
	raw      []byte
	rows     int
	from, to int64 // earliest receipt, latest end, in nanoseconds since 1970
}

// builder makes blocks of the records of one route. Numbers are differences to
// the record before, ids what they do not have in common with it, and other
// texts are written once in a block.
type builder struct {
	block
	hop        *feed.Hop
	identifier identifier
	texts      map[string]uint64 // by text: its number, from 1
	last       last
}

// last is what the record before held.
type last struct {
	id, delivery   string
	topic          string // of the delivery
	tag            uint64
	received, done int64
	time           []byte // of the reading
	seq            uint64
}

func newBuilder(hop *feed.Hop) *builder {
	return &builder{hop: hop, texts: map[string]uint64{}}
}

// begin writes what all records have in common.
func (b *builder) begin() {
	clear(b.texts)
	for _, text := range [...]string{b.hop.Feed, b.hop.Route, b.hop.Source, b.hop.Sink, b.hop.From, b.hop.To} {
		b.whole(text)
	}
	if b.hop.Offsets {
		b.raw = append(b.raw, 1)
	} else {
		b.raw = append(b.raw, 0)
	}
}

// cut returns the block and begins the next one in the memory of raw.
func (b *builder) cut(raw []byte) block {
	made := b.block
	b.block = block{raw: raw[:0]}
	b.last = last{time: b.last.time[:0]} // retain no message
	return made
}

// add appends a record.
func (b *builder) add(e *feed.Ended) {
	received, done := e.Received.UnixNano(), e.Done.UnixNano()
	if b.rows == 0 {
		b.begin()
		b.from, b.to = received, done
	}
	b.rows++
	b.from, b.to = min(b.from, received), max(b.to, done)
	id, delivery, was := cut(e.ID), cut(e.DeliveryID), &b.last
	r, isReading := b.reading(e)

	flags := uint64(e.Outcome) & flagOutcome
	set := func(flag uint64, on bool) {
		if on {
			flags |= flag
		}
	}
	same := b.rows > 1 && e.Tag == was.tag && received == was.received && delivery == was.delivery && e.DeliveryTopic == was.topic
	set(flagSameDelivery, same)
	set(flagSameID, !same && id == delivery)
	set(flagReading, isReading)
	set(flagPlaces, len(e.Places) > 0)
	set(flagReason, e.Reason != "")

	b.number(flags)
	b.difference(was.id, id)
	b.text(e.Topic)
	b.number(uint64(len(e.Payload)))
	b.raw = binary.LittleEndian.AppendUint32(b.raw, crc32.Checksum(e.Payload, castagnoli))
	b.signed(done - was.done)
	if !same {
		if id != delivery {
			b.difference(was.delivery, delivery)
		}
		b.text(e.DeliveryTopic)
		b.signed(int64(e.Tag - was.tag))
		b.signed(received - was.received)
	}
	if isReading {
		b.number(uint64(r.device))
		writeText(b, r.series)
		writeDifference(b, was.time, r.time)
		b.signed(int64(r.seq - was.seq))
		was.time, was.seq = append(was.time[:0], r.time...), r.seq
	}
	if len(e.Places) > 0 {
		places := e.Places[:min(len(e.Places), mostPlaces)]
		b.number(uint64(len(places)))
		for _, p := range places {
			b.text(p.Object)
			b.signed(p.Position)
		}
	}
	if e.Reason != "" {
		b.text(e.Reason)
	}
	was.id, was.delivery, was.topic, was.tag, was.received, was.done = id, delivery, e.DeliveryTopic, e.Tag, received, done
}

// reading returns the reading that the message holds, or the delivery that it was
// made of.
func (b *builder) reading(e *feed.Ended) (r identity, ok bool) {
	if r, ok = b.identifier.find(e.Payload); ok || len(e.DeliveryPayload) == 0 {
		return r, ok
	}
	if len(e.Payload) > 0 && &e.Payload[0] == &e.DeliveryPayload[0] {
		return r, false // the same bytes
	}
	return b.identifier.find(e.DeliveryPayload)
}

func (b *builder) number(n uint64) { b.raw = binary.AppendUvarint(b.raw, n) }
func (b *builder) signed(n int64)  { b.raw = binary.AppendVarint(b.raw, n) }

// whole appends a text.
func (b *builder) whole(text string) { writeWhole(b, cut(text)) }

// text appends the number of a text, or 0 and the text when it is new.
func (b *builder) text(text string) { writeText(b, cut(text)) }

// difference appends a text as how many bytes of another one it begins with, and
// the rest.
func (b *builder) difference(other, text string) { writeDifference(b, other, text) }

// characters is a text that is short enough.
type characters interface{ string | []byte }

func writeWhole[T characters](b *builder, text T) {
	b.number(uint64(len(text)))
	b.raw = append(b.raw, text...)
}

func writeText[T characters](b *builder, text T) {
	n, known := b.texts[string(text)]
	if known {
		b.number(n)
		return
	}
	b.texts[strings.Clone(string(text))] = uint64(len(b.texts)) + 1 // it may be a piece of much memory
	b.number(0)
	writeWhole(b, text)
}

func writeDifference[T characters](b *builder, other, text T) {
	n := 0
	for n < len(other) && n < len(text) && other[n] == text[n] {
		n++
	}
	b.number(uint64(n))
	writeWhole(b, text[n:])
}

func cut(text string) string { return text[:min(len(text), mostText)] }

func timeOf(nanos int64) time.Time { return time.Unix(0, nanos).UTC() }
