package blob

import (
	"crypto/sha256"
	"encoding/hex"
)

// Marks that stand for what no escaped value can be: an escape is always a
// percent sign and two upper-case hexadecimal digits.
const (
	emptyMark   = "%empty"
	missingMark = "%missing"
	cutMark     = "%~"
)

// cutLen is what a value that is too long ends with: the mark and 128 bits of
// its hash.
const cutLen = len(cutMark) + 32

const upperHex = "0123456789ABCDEF"

// plainByte reports whether c stands for itself in an escaped value.
func plainByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '.', '~', '=', '+', ',', '@':
		return true
	}
	return false
}

// appendEscaped appends value to dst in a form that cannot leave its path
// segment and that differs for different values: everything but letters,
// digits and a few marks is percent-encoded, as are a dot at either end and
// the byte sep (0 is none), which separates the value from the next one. The
// result is never empty and at most limit bytes long: a longer one is cut and
// ends with a hash of the whole value. limit must be at least minValueLimit.
func appendEscaped(dst []byte, value string, sep byte, limit int) []byte {
	if value == "" {
		return append(dst, emptyMark...)
	}
	start, fits := len(dst), len(dst)
	for i := 0; i < len(value); i++ {
		c := value[i]
		if plainByte(c) && c != sep && (c != '.' || i > 0 && i < len(value)-1) {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
		n := len(dst) - start
		if n <= limit-cutLen {
			fits = len(dst)
		}
		if n > limit {
			sum := sha256.Sum256([]byte(value))
			dst = append(dst[:fits], cutMark...)
			return hex.AppendEncode(dst, sum[:16])
		}
	}
	return dst
}
