package mqtt

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// plainText reports whether s is valid UTF-8 without control characters and
// code points that are no characters. MQTT 5.0 §1.5.4 forbids only U+0000 of
// these outright, but allows a receiver to close the connection for any of
// them, and Mosquitto does.
func plainText(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c >= 0x7f {
			return plainRunes(s[i:])
		}
	}
	return true
}

func plainRunes(s string) bool {
	for i, r := range s {
		switch {
		case r <= 0x1f, r >= 0x7f && r <= 0x9f, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
			return false
		case r == utf8.RuneError:
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return false
			}
		}
	}
	return true
}

// plainTopic is plainText for a topic name: no wildcards either.
func plainTopic(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '+' || c == '#':
			return false
		case c < 0x20 || c >= 0x7f:
			return plainRunes(s[i:]) && !strings.ContainsAny(s[i:], "+#")
		}
	}
	return true
}

// bounded returns the first 200 bytes of foreign text.
func bounded(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "…" // a copy: nothing pins the rest
	}
	return s
}

// clip quotes foreign text for an error: bounded, and printable only.
func clip(s string) string { return strconv.Quote(bounded(s)) }
