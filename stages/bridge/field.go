package bridge

import (
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// maxFieldBytes is the longest value of a field: that of a text in MQTT.
const maxFieldBytes = 65535

// field is a pattern of what a pointer leads to.
type field struct {
	number  int // of the pointer
	pattern text
}

// appendFields appends the values of the wanted fields, in the order of their
// numbers: for each its length plus one in three bytes, zero if it is not
// there, and the text. That can be read in one way only.
func appendFields(dst, payload []byte, pointers *jsonscan.Pointers, want jsonscan.Mask) ([]byte, error) {
	var buf [16]jsonscan.Span
	found := buf[:]
	if pointers.Len() > len(buf) {
		found = make([]jsonscan.Span, pointers.Len())
	}
	if err := pointers.Find(payload, want, found); err != nil {
		return nil, feed.Permanent(fmt.Errorf("the payload is no JSON up to the fields that rules ask for: %w", err))
	}
	for number := range want.Numbers {
		value := found[number]
		if !value.Found() {
			dst = append(dst, 0, 0, 0)
			continue
		}
		at := len(dst)
		dst = value.Append(append(dst, 0, 0, 0), payload)
		size := len(dst) - at - 3
		if size > maxFieldBytes {
			return nil, feed.Permanent(fmt.Errorf("field %s has %d bytes, more than %d", pointers.Text(number), size, maxFieldBytes))
		}
		dst[at], dst[at+1], dst[at+2] = byte((size+1)>>16), byte((size+1)>>8), byte(size+1)
	}
	return dst, nil
}

// matchFields reports whether all fields are there and match, and captures.
// What appendFields made of the known fields is s.
func (r *rule) matchFields(s string, known jsonscan.Mask, v *values) bool {
	next := 0
	for number := range known.Numbers {
		size := int(s[0])<<16 | int(s[1])<<8 | int(s[2])
		value := s[3 : 3+max(size-1, 0)]
		s = s[3+len(value):]
		if number != r.fields[next].number {
			continue
		}
		if size == 0 || !r.fields[next].pattern.match(value, v) {
			return false
		}
		if next++; next == len(r.fields) {
			return true
		}
	}
	return false
}
