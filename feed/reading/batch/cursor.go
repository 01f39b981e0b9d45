package batch

import "encoding/binary"

// cursor reads numbers and bytes until one of them is not there; from then on
// all are 0 or nil.
type cursor struct {
	b      []byte
	failed bool
}

func (c *cursor) uvarint() uint64 {
	if len(c.b) > 0 && c.b[0] < 0x80 { // most are
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.failed, c.b = true, nil
		return 0
	}
	c.b = c.b[n:]
	return v
}

// varint reads a number in zigzag form.
func (c *cursor) varint() int64 { return unzigzag(c.uvarint()) }

// bytes returns the next n bytes, a part of what is read.
func (c *cursor) bytes(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.failed, c.b = true, nil
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

// zigzag gives small numbers of either sign small codes.
func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// below reads a number that must be less than n.
func (c *cursor) below(n int) int {
	v := c.uvarint()
	if v >= uint64(max(n, 0)) {
		c.failed, c.b = true, nil
		return 0
	}
	return int(v)
}
