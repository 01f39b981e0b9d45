package simulate

// key is a place in a tree of random numbers: whoever goes the same way from the
// root finds the same number, in any order and without what lies before.
type key uint64

// with returns the n-th child.
func (k key) with(n uint64) key {
	x := uint64(k) + (n+1)*0x9e3779b97f4a7c15 // the finalizer of SplitMix64
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return key(x ^ x>>31)
}

// unit returns a number from 0 to 1, without 1.
func (k key) unit() float64 { return float64(k>>11) * 0x1p-53 }

// between returns a number of a range.
func (k key) between(least, most float64) float64 { return least + (most-least)*k.unit() }

// below returns a whole number from 0 to n-1.
func (k key) below(n int64) int64 { return int64(uint64(k) >> 1 % uint64(n)) }

// bell returns a number about 0 that has variance 1 and is never far from it.
func (k key) bell() float64 {
	sum := k&0xffff + k>>16&0xffff + k>>32&0xffff + k>>48
	return (float64(sum)*0x1p-16 - 2) * sqrt3
}

const sqrt3 = 1.7320508075688772

// walk returns a number that changes slowly, in straight pieces of a length: at
// the end of each it is another bell.
func (k key) walk(at, length int64) float64 {
	n := uint64(at / length)
	from, to := k.with(n).bell(), k.with(n+1).bell()
	return from + (to-from)*float64(at%length)/float64(length)
}
