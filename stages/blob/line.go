package blob

import (
	"bytes"
	"encoding/base64"
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// errNotJSON is permanent: the payload will never be JSON.
var errNotJSON = feed.Permanent(errors.New("payload is not JSON in UTF-8, and a line of NDJSON must be (envelope: full takes any payload)"))

// appendPayloadLine appends the payload and a line end, or returns errNotJSON
// and dst as it was.
func appendPayloadLine(dst []byte, m *message.Message) ([]byte, error) {
	s := jsonscan.Check(m.Payload)
	if !s.Valid {
		return dst, errNotJSON
	}
	return append(appendJSON(dst, m.Payload, s), '\n'), nil
}

func appendJSON(dst, payload []byte, s jsonscan.Shape) []byte {
	if s.Newlines {
		return jsonscan.AppendCompact(dst, payload)
	}
	return append(dst, payload...)
}

// enveloper writes lines of envelope full. It is not safe for concurrent use.
type enveloper struct{ keys []string }

// appendLine appends a line that holds all there is of the message. Keys are
// sorted, so that equal messages make equal lines.
func (e *enveloper) appendLine(dst []byte, m *message.Message, topic string) []byte {
	if t, ok := m.Metadata[feed.MetaTopic]; ok {
		topic = t
	}
	dst = append(dst, `{"topic":`...)
	dst = appendString(dst, topic)
	if t, ok := m.Metadata[feed.MetaTime]; ok {
		dst = append(dst, `,"time":`...)
		dst = appendString(dst, t)
	}
	dst = append(dst, `,"id":`...)
	dst = appendString(dst, m.UUID)
	dst = append(dst, `,"metadata":{`...)
	e.keys = e.keys[:0]
	for k := range m.Metadata {
		if k != feed.MetaTopic && k != feed.MetaTime {
			e.keys = append(e.keys, k)
		}
	}
	slices.Sort(e.keys)
	for i, k := range e.keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, k)
		dst = append(dst, ':')
		dst = appendString(dst, m.Metadata[k])
	}
	clear(e.keys) // keep no message alive
	if s := jsonscan.Check(m.Payload); s.Valid {
		dst = append(dst, `},"payload":`...)
		dst = appendJSON(dst, bytes.TrimSpace(m.Payload), s)
	} else {
		dst = append(dst, `},"encoding":"base64","payload":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Payload)
		dst = append(dst, '"')
	}
	return append(dst, "}\n"...)
}

// appendString appends s as a JSON string. Bytes that are no UTF-8 become
// U+FFFD: JSON has no other way.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c < 0x20:
				dst = append(dst, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
			default:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return append(dst, '"')
}
