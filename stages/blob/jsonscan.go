package blob

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxNesting is the depth at which encoding/json gives up, too.
const maxNesting = 10000

// shape is what a line needs to know of a JSON payload.
type shape struct {
	valid    bool // one JSON value in UTF-8, white space around it allowed
	newlines bool // raw line ends between the tokens
}

// scanJSON checks a payload. It takes what encoding/json.Valid takes, and asks
// for UTF-8 besides, since one bad line would make a whole object unreadable
// for many readers. It exists because it is several times as fast: see
// BenchmarkScanJSON.
func scanJSON(b []byte) shape {
	s := scanner{b: b}
	i := s.value(s.space(0), 1)
	if i < 0 || s.space(i) != len(b) {
		return shape{}
	}
	if s.wide && !utf8.Valid(b) {
		return shape{}
	}
	return shape{valid: true, newlines: s.newlines}
}

type scanner struct {
	b        []byte
	newlines bool // a raw line end was seen outside of strings
	wide     bool // a byte beyond ASCII was seen in a string
}

// space returns the index of the first byte from i on that is no white space.
func (s *scanner) space(i int) int {
	for i < len(s.b) && s.b[i] <= ' ' {
		switch s.b[i] {
		case ' ', '\t':
		case '\n', '\r':
			s.newlines = true
		default:
			return i
		}
		i++
	}
	return i
}

// The following return the index after what they read, or -1.

func (s *scanner) value(i, depth int) int {
	if i >= len(s.b) {
		return -1
	}
	switch c := s.b[i]; c {
	case '"':
		return s.string(i + 1)
	case '{':
		return s.object(i+1, depth)
	case '[':
		return s.array(i+1, depth)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	default:
		return s.number(i)
	}
}

func (s *scanner) object(i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	i = s.space(i)
	if i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.b) || s.b[i] != '"' {
			return -1
		}
		if i = s.string(i + 1); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
			return -1
		}
		if i = s.value(s.space(i+1), depth+1); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) {
			return -1
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

func (s *scanner) array(i, depth int) int {
	if depth > maxNesting {
		return -1
	}
	i = s.space(i)
	if i < len(s.b) && s.b[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth+1); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) {
			return -1
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return -1
		}
	}
}

// Eight bytes at a time: the high bit of each.
const (
	ones  = 0x0101010101010101
	highs = 0x80 * ones
)

// string reads from after the opening quote to after the closing one.
func (s *scanner) string(i int) int {
	b := s.b
	for {
		// Skip plain ASCII eight bytes at a time. The lowest flagged byte is
		// a quote, a backslash, a control character or beyond ASCII; borrows
		// can flag wrongly only above it.
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			stop := ((x - 0x20*ones) | ((x ^ '"'*ones) - ones) | ((x ^ '\\'*ones) - ones) | x) & highs
			if stop != 0 {
				i += bits.TrailingZeros64(stop) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = s.escape(i + 1); i < 0 {
				return -1
			}
		case c < 0x20:
			return -1
		default:
			s.wide = s.wide || c >= utf8.RuneSelf
			i++
		}
	}
}

// escape reads what follows a backslash.
func (s *scanner) escape(i int) int {
	if i >= len(s.b) {
		return -1
	}
	switch s.b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 > len(s.b) {
			return -1
		}
		for _, c := range s.b[i+1 : i+5] {
			if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

func (s *scanner) word(i int, word string) int {
	if len(s.b)-i < len(word) || string(s.b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

func (s *scanner) number(i int) int {
	if i < len(s.b) && s.b[i] == '-' {
		i++
	}
	if i < len(s.b) && s.b[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		return -1
	}
	if i < len(s.b) && s.b[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(s.b) && s.b[i]|0x20 == 'e' {
		i++
		if i < len(s.b) && (s.b[i] == '+' || s.b[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits reads one digit or more.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.b) && s.b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// appendCompact appends a valid JSON text without white space between tokens.
func appendCompact(dst, b []byte) []byte {
	inString := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			dst = append(dst, c, b[i+1])
			i++
			continue
		case c == '"':
			inString = !inString
		case !inString && (c == ' ' || c == '\t' || c == '\n' || c == '\r'):
			continue
		}
		dst = append(dst, b[i])
	}
	return dst
}
