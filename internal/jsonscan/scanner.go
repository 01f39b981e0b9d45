// Package jsonscan reads JSON texts where they lie: it checks them, and finds
// values by JSON Pointer, in one pass and without copying. It takes what
// encoding/json takes, to the same depth.
package jsonscan

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// maxNesting is the depth at which encoding/json gives up, too.
const maxNesting = 10000

// scanner reads one text. Its methods take the index to read at and return the
// index after what they read, or -1 to read no further: something was wrong,
// which fail has noted, or nothing more is wanted.
type scanner struct {
	b        []byte
	newlines bool // a raw line end was seen outside of strings
	wide     bool // a byte beyond ASCII was seen in a string
	escaped  bool // a backslash was seen in a string

	want  Mask   // pointers whose value is not decided yet
	found []Span // by pointer

	failedAt int
	problem  problem // none as long as all is well
}

func (s *scanner) fail(i int, p problem) int {
	s.failedAt, s.problem = i, p
	return -1
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

// value reads any value.
func (s *scanner) value(i, depth int) int {
	if i >= len(s.b) {
		return s.fail(i, noValue)
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
		return s.fail(i-1, tooDeep)
	}
	i = s.space(i)
	if i < len(s.b) && s.b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(s.b) || s.b[i] != '"' {
			return s.fail(i, noName)
		}
		if i = s.string(i + 1); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) || s.b[i] != ':' {
			return s.fail(i, noColon)
		}
		if i = s.value(s.space(i+1), depth+1); i < 0 {
			return -1
		}
		if i = s.space(i); i >= len(s.b) {
			return s.fail(i, noMemberEnd)
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case '}':
			return i + 1
		default:
			return s.fail(i, noMemberEnd)
		}
	}
}

func (s *scanner) array(i, depth int) int {
	if depth > maxNesting {
		return s.fail(i-1, tooDeep)
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
			return s.fail(i, noElementEnd)
		}
		switch s.b[i] {
		case ',':
			i = s.space(i + 1)
		case ']':
			return i + 1
		default:
			return s.fail(i, noElementEnd)
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
			return s.fail(i, noQuote)
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c == '\\':
			if i = s.escape(i + 1); i < 0 {
				return -1
			}
		case c < 0x20:
			return s.fail(i, controlCharacter)
		default:
			s.wide = s.wide || c >= utf8.RuneSelf
			i++
		}
	}
}

// escape reads what follows a backslash.
func (s *scanner) escape(i int) int {
	s.escaped = true
	if i >= len(s.b) {
		return s.fail(i, noEscaped)
	}
	switch s.b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for end := i + 5; ; {
			i++
			if i == end {
				return i
			}
			if i >= len(s.b) || !isHex(s.b[i]) {
				return s.fail(i, noHex)
			}
		}
	}
	return s.fail(i, badEscape)
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

func (s *scanner) word(i int, word string) int {
	if len(s.b)-i >= len(word) && string(s.b[i:i+len(word)]) == word {
		return i + len(word)
	}
	for k := 0; i < len(s.b) && s.b[i] == word[k]; k++ {
		i++
	}
	return s.fail(i, badWord)
}

func (s *scanner) number(i int) int {
	start := i
	if s.b[i] == '-' {
		i++
	}
	if i < len(s.b) && s.b[i] == '0' {
		i++
	} else if i = s.digits(i); i < 0 {
		if s.failedAt == start {
			s.problem = noValue
		}
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
		return s.fail(i, noDigit)
	}
	return i
}
