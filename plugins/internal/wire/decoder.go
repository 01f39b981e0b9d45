package wire

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
	"unsafe"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/encoding/protowire"
)

// What one received message may hold, so that few bytes cannot become much
// memory.
const (
	maxMessages = 1 << 18 // and results
	maxEntries  = 1 << 10 // of metadata, of a message
	// MaxEntries is how many entries of metadata all messages may have.
	MaxEntries = 1 << 20

	// MaxCount is how many messages are sent at once, and are made of one: with as
	// many before them they still are what one received message may hold.
	MaxCount = maxMessages / 2
	// MaxMadeEntries is how many entries of metadata what is made of one message
	// may have. MaxBatch bytes before it have no more than what is left: an entry
	// takes six bytes.
	MaxMadeEntries = MaxEntries / 4
)

var (
	errTooMany  = fmt.Errorf("it has more than %d messages", maxMessages)
	errType     = errors.New("a field is of another type")
	errNoUTF8   = errors.New("a text is no UTF-8")
	errMetadata = fmt.Errorf("it has more than %d metadata entries", maxEntries)
)

// budget is what is left of the bounds.
type budget struct{ messages, entries int }

func newBudget() budget { return budget{maxMessages, MaxEntries} }

// entry is asked before a message gets one more than it has.
func (b *budget) entry(has int) error {
	if has >= maxEntries || b.entries <= 0 {
		return errMetadata
	}
	b.entries--
	return nil
}

// field is one of a protobuf message: a number, or bytes that are not nil.
type field struct {
	number protowire.Number
	varint uint64 // or a fixed number
	bytes  []byte
}

// fields calls f for each field of a message.
func fields(b []byte, f func(field) error) error {
	for len(b) > 0 {
		one, n := consume(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := f(one); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// consume returns the first field of b and its length, which is negative when b is
// malformed.
func consume(b []byte) (field, int) {
	number, kind, n := protowire.ConsumeTag(b)
	if n < 0 {
		return field{}, n
	}
	one := field{number: number}
	var m int
	switch kind {
	case protowire.VarintType:
		one.varint, m = protowire.ConsumeVarint(b[n:])
	case protowire.Fixed64Type:
		one.varint, m = protowire.ConsumeFixed64(b[n:])
	case protowire.BytesType:
		one.bytes, m = protowire.ConsumeBytes(b[n:])
	default:
		m = protowire.ConsumeFieldValue(number, kind, b[n:])
	}
	if m < 0 {
		return field{}, m
	}
	return one, n + m
}

// decoder makes Watermill messages. Many small things are cut from few pieces of
// memory; the pieces are small, too, so that a message that is kept for long keeps
// little else.
type decoder struct {
	keys     map[string]string // metadata's, of which there are few different ones
	texts    []byte            // what is left of a piece
	messages []message.Message
	entries  []entry // of metadata, in the order in which they came
}

const (
	pieceBytes    = 4 << 10
	pieceMessages = 8
	maxKeys       = 256
)

// begin lets go of the entries of what was decoded before.
func (d *decoder) begin() {
	clear(d.entries)
	d.entries = d.entries[:0]
}

// batch decodes a request that is a batch.
func (d *decoder) batch(b []byte, into *Batch) (is bool, err error) {
	body, is, err := only(b, requestBatch)
	if err != nil || !is {
		return is, err
	}
	clear(into.Messages)
	clear(into.originals)
	d.begin()
	*into = Batch{Messages: into.Messages[:0], originals: into.originals[:0]}
	budget := newBudget()
	for len(body) > 0 {
		f, n := consume(body)
		if n < 0 {
			return true, protowire.ParseError(n)
		}
		body = body[n:]
		switch f.number {
		case batchNumber:
			into.Number = f.varint
		case batchReceived:
			into.Received = int64(f.varint)
		case batchMessages:
			first := len(d.entries)
			m, err := d.message(f.bytes, &budget)
			if err != nil {
				return true, fmt.Errorf("message %d: %w", len(into.Messages), err)
			}
			into.Messages = append(into.Messages, m)
			into.originals = append(into.originals, original{m.UUID, m.Payload, d.entries[first:]})
		}
	}
	return true, nil
}

// The tags of messages, which are of one byte.
const (
	tagUUID     = messageUUID<<3 | byte(protowire.BytesType)
	tagPayload  = messagePayload<<3 | byte(protowire.BytesType)
	tagMetadata = messageMetadata<<3 | byte(protowire.BytesType)
	tagKey      = entryKey<<3 | byte(protowire.BytesType)
	tagValue    = entryValue<<3 | byte(protowire.BytesType)
)

// delimited returns the length-delimited bytes at the begin of b, and what is
// behind them. It is what decoding consists of, so that short lengths have a way
// of their own.
func delimited(b []byte) (content, rest []byte, err error) {
	var n, size int
	switch {
	case len(b) > 0 && b[0] < 0x80:
		n, size = int(b[0]), 1
	case len(b) > 1 && b[1] < 0x80:
		n, size = int(b[0]&0x7f)|int(b[1])<<7, 2
	default:
		content, size = protowire.ConsumeBytes(b)
		if size < 0 {
			return nil, nil, protowire.ParseError(size)
		}
		return content, b[size:], nil
	}
	if n > len(b)-size {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return b[size : size+n], b[size+n:], nil
}

// message decodes a message.
func (d *decoder) message(b []byte, budget *budget) (m *message.Message, err error) {
	if b == nil {
		return nil, errType
	}
	if budget.messages--; budget.messages < 0 {
		return nil, errTooMany
	}
	if len(d.messages) == 0 {
		d.messages = make([]message.Message, pieceMessages)
	}
	m, d.messages = &d.messages[0], d.messages[1:]
	first := len(d.entries)
	for len(b) > 0 {
		var content []byte
		switch tag := b[0]; tag {
		case tagUUID, tagPayload, tagMetadata:
			if content, b, err = delimited(b[1:]); err != nil {
				return nil, err
			}
			switch tag {
			case tagUUID:
				m.UUID, err = d.text(content)
			case tagPayload:
				m.Payload = d.copied(content)
			case tagMetadata:
				if err = budget.entry(len(d.entries) - first); err == nil {
					err = d.entry(content)
				}
			}
			if err != nil {
				return nil, err
			}
		default:
			_, n := consume(b)
			if n < 0 {
				return nil, protowire.ParseError(n)
			}
			b = b[n:]
		}
	}
	m.Metadata = make(message.Metadata, len(d.entries)-first)
	for _, e := range d.entries[first:] {
		m.Metadata[e.key] = e.value
	}
	return m, nil
}

// entry decodes an entry of metadata.
func (d *decoder) entry(b []byte) (err error) {
	var key, value string
	for len(b) > 0 {
		var content []byte
		switch tag := b[0]; tag {
		case tagKey, tagValue:
			if content, b, err = delimited(b[1:]); err != nil {
				return err
			}
			if tag == tagKey {
				key, err = d.key(content)
			} else {
				value, err = d.text(content)
			}
			if err != nil {
				return err
			}
		default:
			_, n := consume(b)
			if n < 0 {
				return protowire.ParseError(n)
			}
			b = b[n:]
		}
	}
	d.entries = append(d.entries, entry{key, value})
	return nil
}

// key returns a metadata key.
func (d *decoder) key(b []byte) (string, error) {
	if known, ok := d.keys[string(b)]; ok {
		return known, nil
	}
	if !utf8.Valid(b) {
		return "", errNoUTF8
	}
	key := string(b)
	if len(d.keys) < maxKeys && len(key) <= 64 {
		if d.keys == nil {
			d.keys = make(map[string]string)
		}
		d.keys[key] = key
	}
	return key, nil
}

// text returns a text.
func (d *decoder) text(b []byte) (string, error) {
	if !utf8.Valid(b) {
		return "", errNoUTF8
	}
	if len(b) == 0 {
		return "", nil
	}
	c := d.copied(b)
	return unsafe.String(&c[0], len(c)), nil //nolint:gosec // nobody writes into it: it is handed out as this string alone
}

// copied returns a copy of b; nil when it is empty.
func (d *decoder) copied(b []byte) []byte {
	switch {
	case len(b) == 0:
		return nil
	case len(b) > pieceBytes/4:
		return append([]byte(nil), b...)
	case len(b) > len(d.texts):
		d.texts = make([]byte, pieceBytes)
	}
	n := copy(d.texts, b)
	c := d.texts[:n:n]
	d.texts = d.texts[n:]
	return c
}
