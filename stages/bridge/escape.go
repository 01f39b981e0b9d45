package bridge

import "unicode/utf8"

// escaping says what a captured value must not hold at its place, beyond what
// no value may hold in a topic.
type escaping struct {
	// stop, if not 0, is the ASCII character that ends the value, because a
	// further value follows in the same level.
	stop byte
	// dots escapes '.'.
	dots bool
	// start says that the value begins the topic.
	start bool
}

const hexDigits = "0123456789ABCDEF"

// appendEscaped appends one value. What it appends is a sequence of units, each
// a plain character or a %XX, which can be read in one way only; that makes
// it reversible.
func (e escaping) appendEscaped(dst []byte, v string) []byte {
	plain := 0 // v[plain:i] needs no escape and is not appended yet
	for i := 0; i < len(v); {
		c := v[i]
		size := 1
		switch {
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(v[i:])
			if size = n; allowedRune(r, n) {
				i += size
				continue
			}
		case !e.special(c, i):
			i++
			continue
		}
		dst = append(dst, v[plain:i]...)
		for _, b := range []byte(v[i : i+size]) {
			dst = append(dst, '%', hexDigits[b>>4], hexDigits[b&15])
		}
		i += size
		plain = i
	}
	return append(dst, v[plain:]...)
}

// special reports whether the ASCII character c at index i of a value must be
// escaped.
func (e escaping) special(c byte, i int) bool {
	switch c {
	case '/', '+', '#', '%', 0x7f:
		return true
	case '.':
		if e.dots {
			return true
		}
	case '$':
		if e.start && i == 0 {
			return true
		}
	}
	return c < ' ' || c == e.stop
}

// allowedRune reports whether a topic may hold the character r beyond ASCII,
// which took size bytes.
func allowedRune(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size == 1: // no UTF-8
		return false
	case r < 0xa0: // C1 control characters
		return false
	case 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe: // non-characters
		return false
	}
	return true
}
