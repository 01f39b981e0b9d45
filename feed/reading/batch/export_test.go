package batch

import (
	"slices"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Columns returns the columns of readings before they are compressed.
func Columns(rs []reading.Reading) []byte { return newEncoder().encode(nil, rs) }

// Unpacked returns how many bytes a body of n bytes may be unpacked to.
func Unpacked(l Limits, n int) int { return l.OrDefaults().unpacked(n) }

// Seal makes a frame of any envelope and body.
func Seal(e Envelope, body []byte) []byte {
	return e.seal(append(make([]byte, maxPrefix), body...), 0)
}

// Resealed returns the frame with the checksum that it should have, if it is one
// but for that.
func Resealed(frame []byte) []byte {
	b, before, err := parse(frame)
	if err != nil {
		return frame
	}
	sum := checksum(frame[:before], b.Body)
	return slices.Concat(frame[:before], sum[:], b.Body)
}
