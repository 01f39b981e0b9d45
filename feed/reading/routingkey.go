package reading

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

const (
	// maxKey is the longest routing key that AMQP can carry, in bytes.
	maxKey = 255
	// maxWord is how long each word may be in a key that would be longer.
	maxWord  = (maxKey-len(firstWord))/keyNames - len(".")
	keyNames = 4 // site, line, device and tag

	firstWord = "telemetry"

	// shortened stands before the hash in a word that was cut; elsewhere it is
	// escaped.
	shortened    = '~'
	shortenedSum = 8 // bytes of the hash
)

// AppendRoutingKey appends telemetry.<site>.<line>.<device>.<tag>, the topic of
// a reading: at most 255 bytes, and another for other names. An empty name is "-".
//
// No name can add a word to the key, be taken for a wildcard of AMQP or MQTT, or hold
// what MQTT forbids: each byte of . / * # + % ~, of control characters, of Unicode
// non-characters and of what is no UTF-8 stands there as % and two hexadecimal
// digits, and so does a name that is "-". If the key is longer than 255 bytes,
// names that take more than 60 are shortened to their beginning, ~ and 16 digits
// of their SHA-256.
func (r *Reading) AppendRoutingKey(dst []byte) []byte {
	start := len(dst)
	if dst = r.appendWords(dst, maxKey); len(dst)-start > maxKey {
		dst = r.appendWords(dst[:start], maxWord)
	}
	return dst
}

// appendWords appends the key, each name of it with at most most bytes.
func (r *Reading) appendWords(dst []byte, most int) []byte {
	dst = append(dst, firstWord...)
	for _, name := range [...]string{r.Site, r.Line, r.Device, r.Tag} {
		dst = append(dst, '.')
		start := len(dst)
		dst = appendWord(dst, name)
		if len(dst)-start > most {
			dst = shorten(dst, start+most-1-hex.EncodedLen(shortenedSum), name)
		}
	}
	return dst
}

// appendWord appends a name, escaped.
func appendWord(dst []byte, name string) []byte {
	switch name {
	case "":
		return append(dst, '-')
	case "-":
		return appendEscaped(dst, name)
	}
	for i := 0; i < len(name); {
		if c := name[i]; plainASCII[c] {
			dst = append(dst, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(name[i:])
		if c := name[i : i+size]; r >= utf8.RuneSelf && plainRune(r, size) {
			dst = append(dst, c...)
		} else {
			dst = appendEscaped(dst, c)
		}
		i += size
	}
	return dst
}

func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, '%', upperHex[s[i]>>4], upperHex[s[i]&15])
	}
	return dst
}

const upperHex = "0123456789ABCDEF"

// plainASCII says which bytes of a name stand in a routing key as they are.
var plainASCII = func() (t [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		t[c] = true
	}
	for _, c := range []byte{'.', '/', '*', '#', '+', '%', shortened} {
		t[c] = false
	}
	return t
}()

// plainRune says so of a character beyond ASCII.
func plainRune(r rune, size int) bool {
	switch {
	case r == utf8.RuneError && size == 1: // no UTF-8
		return false
	case r < 0xa0: // control characters
		return false
	case 0xfdd0 <= r && r <= 0xfdef, r&0xfffe == 0xfffe: // non-characters
		return false
	}
	return true
}

// shorten cuts what stands behind dst[:end], and what is left of an escape or a
// character there, and appends the hash of the whole name.
func shorten(dst []byte, end int, name string) []byte {
	for !utf8.RuneStart(dst[end]) {
		end--
	}
	for back := 1; back <= 2; back++ {
		if dst[end-back] == '%' {
			end -= back
			break
		}
	}
	sum := sha256.Sum256([]byte(name))
	return hex.AppendEncode(append(dst[:end], shortened), sum[:shortenedSum])
}
