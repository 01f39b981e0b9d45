package generate

import (
	"bytes"
	"errors"
	"slices"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// padding stands before what makes a payload long, as its last member.
const padding = `,"pad":"`

// AppendJSON appends a reading as [reading.Reading.AppendJSON] does, in at least
// minBytes bytes: a shorter one gets a further member, pad. It allocates only
// when dst is too small.
func AppendJSON(dst []byte, r *reading.Reading, minBytes int) []byte {
	start := len(dst)
	dst = r.AppendJSON(dst)
	missing := minBytes - (len(dst) - start)
	if missing <= 0 {
		return dst
	}
	dst = append(dst[:len(dst)-1], padding...)
	for range missing - len(padding+`"`) {
		dst = append(dst, 'x')
	}
	return append(dst, `"}`...)
}

// ParseReading reads what AppendJSON has written. A payload of another form is
// an error.
func ParseReading(payload []byte) (reading.Reading, error) {
	if before, pad, ok := bytes.Cut(payload, []byte(padding)); ok && string(bytes.TrimLeft(pad, "x")) == `"}` {
		payload = slices.Concat(before, []byte("}"))
	}
	var p reading.Parser
	r, err := p.Parse(payload)
	if err == nil && r.Seq == 0 {
		err = errors.New("parse reading: seq is 0, it counts from 1")
	}
	return r, err
}

func routingKey(r *reading.Reading) string { return string(r.AppendRoutingKey(nil)) }
