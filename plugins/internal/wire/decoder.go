package wire

import (
	"errors"
	"fmt"
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
	maxAll      = 1 << 20 // entries of metadata of all messages
)

var (
	errTooMany  = fmt.Errorf("it has more than %d messages", maxMessages)
	errType     = errors.New("a field is of another type")
	errNoUTF8   = errors.New("a text is no UTF-8")
	errMetadata = fmt.Errorf("it has more than %d metadata entries", maxEntries)
)

// budget is what is left of the bounds.
type budget struct{ messages, entries int }

func newBudget() budget { return budget{maxMessages, maxAll} }

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
}

const (
	pieceBytes    = 4 << 10
	pieceMessages = 8
	maxKeys       = 256
)

// batch decodes a request that is a batch.
func (d *decoder) batch(b []byte, into *Batch) (is bool, err error) {
	body, is, err := only(b, requestBatch)
	if err != nil || !is {
		return is, err
	}
	clear(into.Messages)
	*into = Batch{Messages: into.Messages[:0]}
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
			m, err := d.message(f.bytes, &budget)
			if err != nil {
				return true, fmt.Errorf("message %d: %w", len(into.Messages), err)
			}
			into.Messages = append(into.Messages, m)
		}
	}
	return true, nil
}

// message decodes a message.
func (d *decoder) message(b []byte, budget *budget) (*message.Message, error) {
	if b == nil {
		return nil, errType
	}
	if budget.messages--; budget.messages < 0 {
		return nil, errTooMany
	}
	if len(d.messages) == 0 {
		d.messages = make([]message.Message, pieceMessages)
	}
	m := &d.messages[0]
	d.messages = d.messages[1:]
	entries, err := countEntries(b)
	if err != nil {
		return nil, err
	}
	if budget.entries -= entries; budget.entries < 0 || entries > maxEntries {
		return nil, errMetadata
	}
	m.Metadata = make(message.Metadata, entries)
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 {
			return nil, protowire.ParseError(n)
		}
		b = b[n:]
		switch f.number {
		case messageUUID:
			if m.UUID, err = d.text(f.bytes); err != nil {
				return nil, err
			}
		case messagePayload:
			m.Payload = d.copied(f.bytes)
		case messageMetadata:
			if err := d.entry(m.Metadata, f.bytes); err != nil {
				return nil, err
			}
		}
	}
	return m, nil
}

// countEntries returns how many metadata entries a message has.
func countEntries(b []byte) (int, error) {
	entries := 0
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 {
			return 0, protowire.ParseError(n)
		}
		if f.number == messageMetadata {
			entries++
		}
		b = b[n:]
	}
	return entries, nil
}

func (d *decoder) entry(metadata message.Metadata, b []byte) error {
	var key, value string
	var err error
	for len(b) > 0 {
		f, n := consume(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		switch f.number {
		case entryKey:
			key, err = d.key(f.bytes)
		case entryValue:
			value, err = d.text(f.bytes)
		}
		if err != nil {
			return err
		}
	}
	metadata[key] = value
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
