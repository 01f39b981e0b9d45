package batch

import (
	"encoding/binary"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Times are whole numbers of a unit: the largest power of ten in nanoseconds, up
// to a second, that divides all of them. They stand in one of two orders,
// whichever leaves fewer bytes that are not 0:
//
//	as the readings came    the difference from the time before: tags that are
//	                        read at the same moment cost nothing
//	by series               the difference from the difference before: a tag
//	                        that is read at equal intervals costs nothing
const (
	timesAsTheyCame = 0
	timesBySeries   = 1

	maxTimeUnit = 9 // 10⁹ ns
)

// appendTimes appends the order (in the low bit) and the unit's exponent, the
// first time, and the differences.
func (e *encoder) appendTimes(dst []byte, rs []reading.Reading) []byte {
	exponent, unit := timeUnit(rs)
	asTheyCame := e.column[:0]
	for i := 1; i < len(rs); i++ {
		asTheyCame = append(asTheyCame, zigzag(rs[i].Time/unit-rs[i-1].Time/unit))
	}
	e.column = asTheyCame

	bySeries := e.another[:0]
	var step int64 // the difference before
	for slots := range e.bySeries() {
		before := rs[slots[0]].Time / unit
		bySeries = append(bySeries, zigzag(before-rs[0].Time/unit))
		for _, i := range slots[1:] {
			at := rs[i].Time / unit
			bySeries = append(bySeries, zigzag(at-before-step))
			before, step = at, at-before
		}
	}
	e.another = bySeries

	order, column := byte(timesAsTheyCame), asTheyCame
	if weight(bySeries) < weight(asTheyCame) {
		order, column = timesBySeries, bySeries
	}
	dst = append(dst, order|exponent<<1)
	return appendPlanes(binary.AppendVarint(dst, rs[0].Time/unit), column)
}

// timeUnit returns the unit and its exponent.
func timeUnit(rs []reading.Reading) (exponent byte, unit int64) {
	exponent, unit = maxTimeUnit, 1e9
	for i := range rs {
		for rs[i].Time%unit != 0 {
			exponent, unit = exponent-1, unit/10
		}
	}
	return exponent, unit
}

// weight is about what a column costs when zeros cost nothing.
func weight(column []uint64) int {
	n := 0
	for _, v := range column {
		for ; v != 0; v >>= 8 {
			n++
		}
	}
	return n
}

func (d *decoder) times(c *cursor, rs []reading.Reading) {
	how := c.below(2 * (maxTimeUnit + 1))
	unit := int64(1)
	for range how >> 1 {
		unit *= 10
	}
	first := c.varint()
	if how&1 == timesAsTheyCame {
		d.column = c.planes(d.column, len(rs)-1)
		at := first
		rs[0].Time = at * unit
		for i, v := range d.column {
			at += unzigzag(v)
			rs[i+1].Time = at * unit
		}
		return
	}
	d.column = c.planes(d.column, len(rs))
	var step int64
	for s := range d.series {
		from, to := d.slots[s], d.slots[s+1]
		at := first + unzigzag(d.column[from])
		rs[d.place[from]].Time = at * unit
		for slot := from + 1; slot < to; slot++ {
			step += unzigzag(d.column[slot])
			at += step
			rs[d.place[slot]].Time = at * unit
		}
	}
}
