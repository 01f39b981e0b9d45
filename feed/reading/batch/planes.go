package batch

import "math/bits"

// A column of whole numbers is written as planes: how many bytes the largest of
// them needs, then the most significant of these of each, then the next of each.
// Numbers that are small in most places so make long runs of zeros, and bytes
// that are noise stand apart from those that are not: what a compressor likes.

// appendPlanes appends a column.
func appendPlanes(dst []byte, column []uint64) []byte {
	var all uint64
	for _, v := range column {
		all |= v
	}
	width := (bits.Len64(all) + 7) / 8
	dst = append(dst, byte(width))
	for shift := 8 * (width - 1); shift >= 0; shift -= 8 {
		for _, v := range column {
			dst = append(dst, byte(v>>shift))
		}
	}
	return dst
}

// planes reads a column of n numbers into column, whose memory it uses again.
func (c *cursor) planes(column []uint64, n int) []uint64 {
	column = resized(column, n)
	clear(column)
	width := c.below(9)
	for range width {
		plane := c.bytes(uint64(n))
		if c.failed {
			break
		}
		for i, b := range plane {
			column[i] = column[i]<<8 | uint64(b)
		}
	}
	return column
}

// resized returns s with n elements of any value.
func resized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}
