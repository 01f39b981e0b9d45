package reading

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// escapedUnit is how long the escape of a UTF-16 unit is, such as \ud83d.
const escapedUnit = 6

// unpaired returns the first escape in a string of valid JSON that is half of a
// surrogate pair without the other. It stands for no character: reading it as
// U+FFFD, as is usual, would alter the text.
func unpaired(text []byte) (escape []byte, found bool) {
	for {
		i := bytes.IndexByte(text, '\\')
		if i < 0 {
			return nil, false
		}
		text = text[i:]
		r := unit(text)
		switch {
		case r < 0:
			text = text[2:] // such as \n
		case !utf16.IsSurrogate(r):
			text = text[escapedUnit:]
		case utf16.DecodeRune(r, unit(text[escapedUnit:])) == utf8.RuneError: // which no pair stands for
			return text[:escapedUnit], true
		default:
			text = text[2*escapedUnit:]
		}
	}
}

// unit returns the UTF-16 unit whose escape text begins with, or -1.
func unit(text []byte) rune {
	if len(text) < escapedUnit || text[0] != '\\' || text[1] != 'u' {
		return -1
	}
	u, err := strconv.ParseUint(string(text[2:escapedUnit]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(u)
}
