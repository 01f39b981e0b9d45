package validate

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"

	"github.com/dchest/siphash"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// digest stands for a collection of readings, with its copies and without its
// order: the sum of keyed hashes of 128 bits. Unlike their exclusive or it does not
// take a pair of copies for nothing.
type digest struct{ hi, lo uint64 }

func (d digest) plus(e digest) digest {
	lo, carry := bits.Add64(d.lo, e.lo, 0)
	hi, _ := bits.Add64(d.hi, e.hi, carry)
	return digest{hi, lo}
}

func (d digest) compare(e digest) int {
	if d.hi != e.hi {
		return order(d.hi, e.hi)
	}
	return order(d.lo, e.lo)
}

func order[T uint64 | int64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// key is drawn for each run, so that nobody can make readings whose digests are
// equal.
type key struct{ k0, k1 uint64 }

func newKey() key {
	var b [16]byte
	rand.Read(b[:])
	return key{binary.LittleEndian.Uint64(b[:8]), binary.LittleEndian.Uint64(b[8:])}
}

// hasher makes digests of single readings. It is for one goroutine.
type hasher struct {
	*rules
	key
	form []byte
}

func (h *hasher) of(x *reading.Reading) digest {
	h.form = h.append(h.form[:0], x)
	hi, lo := siphash.Hash128(h.k0, h.k1, h.form)
	return digest{hi, lo}
}
