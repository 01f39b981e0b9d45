package jsonscan

import (
	"unicode/utf16"
	"unicode/utf8"
)

// Span is where a scalar stands in a text. It holds indexes and no piece of the
// text, so that the compiler sees that a Find keeps nothing.
type Span struct {
	start, end int // end is 0 if there is no scalar
	escaped    bool
}

// Found reports whether there is a scalar.
func (s Span) Found() bool { return s.end != 0 }

// Append appends the scalar of b, the text in which it was found: a string's
// characters, a number as it is written, true or false. Half a surrogate pair
// becomes U+FFFD.
func (s Span) Append(dst, b []byte) []byte {
	if !s.escaped {
		return append(dst, b[s.start:s.end]...)
	}
	return appendUnescaped(dst, b[s.start:s.end])
}

// appendUnescaped appends the characters of a valid string, given without its
// quotes.
func appendUnescaped(dst, raw []byte) []byte {
	plain := 0 // raw[plain:i] is not appended yet
	for i := 0; i < len(raw); {
		if raw[i] != '\\' {
			i++
			continue
		}
		dst = append(dst, raw[plain:i]...)
		i += 2
		switch c := raw[i-1]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := hexRune(raw[i : i+4])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if len(raw)-i >= 6 && raw[i] == '\\' && raw[i+1] == 'u' {
					pair = utf16.DecodeRune(r, hexRune(raw[i+2:i+6]))
				}
				if r = pair; r != utf8.RuneError {
					i += 6
				}
			}
			dst = utf8.AppendRune(dst, r)
		default: // " \ /
			dst = append(dst, c)
		}
		plain = i
	}
	return append(dst, raw[plain:]...)
}

// hexRune returns what four hexadecimal digits stand for.
func hexRune(digits []byte) rune {
	var r rune
	for _, c := range digits {
		switch {
		case c >= 'a':
			c -= 'a' - 10
		case c >= 'A':
			c -= 'A' - 10
		default:
			c -= '0'
		}
		r = r<<4 | rune(c)
	}
	return r
}
