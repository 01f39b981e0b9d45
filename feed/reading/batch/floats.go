package batch

import (
	"encoding/binary"
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// The floats of a series stand there in one of two ways, which its first byte
// tells:
//
//	0 to 15      they are decimals with so many digits behind the point, as
//	             displays and JSON have them: whole numbers, as the difference from
//	             the one before. What is none (NaN, −0, a long fraction) is an
//	             exception, and stands there with its bits
//	16           their bits, exclusive or with those of the one before: what they
//	             have in common becomes 0
const (
	maxDecimals = 15
	xorFloats   = 16

	// exceptionsIn is how many decimals there are at least for each exception.
	exceptionsIn = 16
)

var powersOfTen = [maxDecimals + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}

// decimal returns the whole number that becomes f, to the bit, when it is divided
// by 10^decimals.
func decimal(f float64, decimals int) (int64, bool) {
	whole := math.RoundToEven(f * powersOfTen[decimals])
	if !(math.Abs(whole) < 1<<53) { // also NaN
		return 0, false
	}
	back := whole / powersOfTen[decimals]
	return int64(whole), math.Float64bits(back) == math.Float64bits(f) && (whole != 0 || !math.Signbit(f))
}

// leastDecimals returns how many digits behind the point f needs; beyond
// maxDecimals it is no decimal. What the float before needed is tried first.
func leastDecimals(f float64, before int) int {
	d := before
	if _, ok := decimal(f, d); ok {
		for d > 0 {
			if _, ok := decimal(f, d-1); !ok {
				break
			}
			d--
		}
		return d
	}
	for d++; d <= maxDecimals; d++ {
		if _, ok := decimal(f, d); ok {
			break
		}
	}
	return d
}

// decimalsOf returns how many digits behind the point nearly all of the floats
// need, or false when many are no decimals.
func decimalsOf(floats []float64) (int, bool) {
	var need [maxDecimals + 1]int
	allowed := len(floats) / exceptionsIn
	none, d := 0, 0
	for _, f := range floats {
		least := leastDecimals(f, d)
		if least > maxDecimals {
			if none++; none > allowed {
				return 0, false
			}
			continue
		}
		need[least]++
		d = least
	}
	exceptions := none
	for d := maxDecimals; d > 0; d-- {
		if exceptions += need[d]; exceptions > allowed {
			return d, true
		}
	}
	return 0, true
}

func (e *encoder) appendFloats(dst []byte, rs []reading.Reading) []byte {
	for slots := range e.bySeries() {
		e.floats = e.floats[:0]
		for _, i := range slots {
			if v := rs[i].Value; v.Kind() == reading.Float {
				e.floats = append(e.floats, v.Float())
			}
		}
		if len(e.floats) == 0 {
			continue
		}
		decimals, ok := decimalsOf(e.floats)
		if ok {
			dst, ok = e.appendDecimals(dst, decimals)
		}
		if !ok {
			dst = e.appendXOR(dst)
		}
	}
	return dst
}

// appendDecimals appends how many digits there are, the exceptions (how many, and
// for each the distance from the one before and its bits) and the column, in
// which an exception is 0. It appends nothing when there are many exceptions:
// with more digits, large numbers are no longer exact.
func (e *encoder) appendDecimals(dst []byte, decimals int) ([]byte, bool) {
	e.column, e.exceptions = e.column[:0], e.exceptions[:0]
	var before int64
	n, last := 0, 0
	for i, f := range e.floats {
		whole, ok := decimal(f, decimals)
		if !ok {
			e.exceptions = binary.AppendUvarint(e.exceptions, uint64(i-last))
			e.exceptions = binary.LittleEndian.AppendUint64(e.exceptions, math.Float64bits(f))
			n, last = n+1, i
			e.column = append(e.column, 0)
			continue
		}
		e.column = append(e.column, zigzag(whole-before))
		before = whole
	}
	if n > len(e.floats)/exceptionsIn {
		return dst, false
	}
	dst = appendUvarints(append(dst, byte(decimals)), n)
	return appendPlanes(append(dst, e.exceptions...), e.column), true
}

func (e *encoder) appendXOR(dst []byte) []byte {
	e.column = e.column[:0]
	var before uint64
	for _, f := range e.floats {
		bits := math.Float64bits(f)
		e.column = append(e.column, bits^before)
		before = bits
	}
	return appendPlanes(append(dst, xorFloats), e.column)
}

// floats reads the floats of a series into the readings of the given numbers.
func (d *decoder) floats(c *cursor, rs []reading.Reading, numbers []uint32) {
	how := c.below(xorFloats + 1)
	if how == xorFloats {
		d.column = c.planes(d.column, len(numbers))
		var bits uint64
		for k, i := range numbers {
			bits ^= d.column[k]
			rs[i].Value = reading.OfFloat(math.Float64frombits(bits))
		}
		return
	}
	exceptions := c.below(len(numbers)/exceptionsIn + 1)
	at := *c
	for range exceptions {
		c.uvarint()
		c.bytes(8)
	}
	d.column = c.planes(d.column, len(numbers))
	var whole int64
	power := powersOfTen[how]
	for k, i := range numbers {
		whole += unzigzag(d.column[k])
		rs[i].Value = reading.OfFloat(float64(whole) / power)
	}
	k := uint64(0)
	for range exceptions {
		k += at.uvarint()
		bits := at.bytes(8)
		if at.failed || k >= uint64(len(numbers)) {
			c.failed = true
			return
		}
		rs[numbers[k]].Value = reading.OfFloat(math.Float64frombits(binary.LittleEndian.Uint64(bits)))
	}
}
