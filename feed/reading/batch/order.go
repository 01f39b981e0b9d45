package batch

import "encoding/binary"

// The order in which readings came is that of their series. After a series comes
// what came after it the last time: devices read their tags in turn. Before it
// was there, the next one is expected, and after the last the first.

// succession says which series is to be expected after each.
type succession []uint32

func newSuccession(s succession, series int) succession {
	s = resized(s, series)
	for i := range s {
		s[i] = uint32(i + 1)
	}
	s[series-1] = 0
	return s
}

// appendOrder appends how many readings come as expected, then the series of one
// that does not, and so on. The first is expected to be of series 0, and is.
func appendOrder(dst []byte, of []int, series int) []byte {
	after := newSuccession(nil, series)
	expected, run := 0, 0
	for i, s := range of {
		if s != expected {
			dst = appendUvarints(dst, run, s)
			run = -1
		}
		run++
		if i > 0 {
			after[of[i-1]] = uint32(s)
		}
		expected = int(after[s])
	}
	return binary.AppendUvarint(dst, uint64(run))
}

// order reads it, and fills place: by slot, the reading. slots holds the first
// slot of each series, and the end of the last; next is used.
func (c *cursor) order(place, slots []uint32, after succession, next []uint32) {
	copy(next, slots)
	var s uint32 // the series of the reading
	last := -1   // of the one before
	for i := 0; !c.failed; {
		run := c.uvarint()
		if run > uint64(len(place)-i) {
			c.failed = true
			return
		}
		for expected := i + int(run); i <= expected; i++ {
			if i == len(place) {
				return
			}
			if i == expected {
				s = uint32(c.below(len(next)))
			}
			if c.failed || next[s] == slots[s+1] {
				c.failed = true
				return
			}
			place[next[s]] = uint32(i)
			next[s]++
			if last >= 0 {
				after[last] = s
			}
			last, s = int(s), after[s]
		}
	}
}
