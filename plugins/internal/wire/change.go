package wire

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/encoding/protowire"
)

// entry is one of metadata.
type entry struct{ key, value string }

// original is a message as it was received: a transform may change the message
// itself, but for the bytes of its payload.
type original struct {
	uuid    string
	payload []byte
	entries []entry
}

// manyEntries is how many a message may have whose changes are looked for: that
// compares each entry with each, since for a few ones nothing is faster.
const manyEntries = 32

// appendChanged appends how m differs from the original.
func (o *original) appendChanged(b []byte, m *message.Message) ([]byte, error) {
	if err := sendable(m); err != nil {
		return b, err
	}
	if m.UUID != o.uuid {
		b = protowire.AppendTag(b, changedUUID, protowire.BytesType)
		b = protowire.AppendString(b, m.UUID)
	}
	if !samePlace(m.Payload, o.payload) {
		b = protowire.AppendTag(b, changedPayload, protowire.BytesType)
		b = protowire.AppendBytes(b, m.Payload)
	}
	kept := 0
	for k, v := range m.Metadata {
		switch at := o.find(k); {
		case at < 0:
		case o.entries[at].value == v:
			kept++
			continue
		default:
			kept++
		}
		var err error
		if b, err = appendEntry(b, changedMetadata, k, v); err != nil {
			return b, err
		}
	}
	if kept == len(o.entries) {
		return b, nil
	}
	for _, e := range o.entries {
		if _, ok := m.Metadata[e.key]; !ok {
			b = protowire.AppendTag(b, changedRemoved, protowire.BytesType)
			b = protowire.AppendString(b, e.key)
		}
	}
	return b, nil
}

func (o *original) find(key string) int {
	for i := range o.entries {
		if o.entries[i].key == key {
			return i
		}
	}
	return -1
}

// samePlace reports whether two payloads are one: nobody writes into a payload.
func samePlace(a, b []byte) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Change is how a message differs from the one that was sent. The zero value is no
// difference.
type Change struct {
	uuid, payload bool // they have changed
	to            original
	removed       []string
}

// Apply makes the change in the message that was sent.
func (c *Change) Apply(m *message.Message) {
	if c.uuid {
		m.UUID = c.to.uuid
	}
	if c.payload {
		m.Payload = c.to.payload
	}
	for _, key := range c.removed {
		delete(m.Metadata, key)
	}
	if m.Metadata == nil && len(c.to.entries) > 0 {
		m.Metadata = make(message.Metadata, len(c.to.entries))
	}
	for _, e := range c.to.entries {
		m.Metadata[e.key] = e.value
	}
}

// change decodes a change.
func (d *decoder) change(b []byte, budget *budget) (Change, error) {
	if b == nil {
		return Change{}, errType
	}
	var c Change
	first := len(d.entries)
	err := fields(b, func(f field) (err error) {
		if f.bytes == nil && f.number <= changedRemoved {
			return errType
		}
		switch f.number {
		case changedUUID:
			c.uuid = true
			c.to.uuid, err = d.text(f.bytes)
		case changedPayload:
			c.payload = true
			c.to.payload = d.copied(f.bytes)
		case changedMetadata:
			if err = budget.entry(len(d.entries) - first); err == nil {
				err = d.entry(f.bytes)
			}
		case changedRemoved:
			if err = budget.entry(len(c.removed)); err == nil {
				var key string
				key, err = d.key(f.bytes)
				c.removed = append(c.removed, key)
			}
		}
		return err
	})
	c.to.entries = slices.Clip(d.entries[first:])
	return c, err
}

var errNil = errors.New("it is a nil message")

// sendable says why a message cannot be sent, but for its metadata's texts.
func sendable(m *message.Message) error {
	switch {
	case m == nil:
		return errNil
	case !utf8.ValidString(m.UUID):
		return fmt.Errorf("its id %.40q is no UTF-8", m.UUID)
	case len(m.Metadata) > maxEntries:
		return fmt.Errorf("it has %d metadata entries, more than %d", len(m.Metadata), maxEntries)
	}
	return nil
}

func appendEntry(b []byte, field protowire.Number, key, value string) ([]byte, error) {
	if !utf8.ValidString(key) || !utf8.ValidString(value) {
		return b, fmt.Errorf("its metadata %.40q: %.40q is no UTF-8", key, value)
	}
	n := 2 + protowire.SizeBytes(len(key)) + protowire.SizeBytes(len(value))
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(n))
	b = protowire.AppendTag(b, entryKey, protowire.BytesType)
	b = protowire.AppendString(b, key)
	b = protowire.AppendTag(b, entryValue, protowire.BytesType)
	return protowire.AppendString(b, value), nil
}
