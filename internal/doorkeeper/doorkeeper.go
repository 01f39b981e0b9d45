// Package doorkeeper keeps things that come only once out of a cache.
//
// A cache is of no use for what does not come again, and costs more than it
// saves: each entry must be made, stored and thrown away. A doorkeeper in front
// of it admits what it has met lately. The idea is that of TinyLFU (Einziger,
// Friedman, Manes: "TinyLFU: A Highly Efficient Cache Admission Policy", 2017).
package doorkeeper

// Doorkeeper remembers hashes of what it has met, in a bit each, so that it
// rarely takes something new for something known. It is not safe for concurrent
// use.
type Doorkeeper struct {
	bits []uint64 // their number is a power of two
	met  int      // hashes since the last time that all were forgotten
	most int
}

// New returns a doorkeeper that forgets all after it has met most different
// hashes. It takes a byte or two for each.
func New(most int) *Doorkeeper {
	words := 1
	for words*8 < most {
		words *= 2
	}
	return &Doorkeeper{bits: make([]uint64, words), most: most}
}

// Admit reports whether something with such a hash was met lately, and notes
// that it was met now.
func (d *Doorkeeper) Admit(hash uint64) bool {
	word, bit := &d.bits[hash/64%uint64(len(d.bits))], uint64(1)<<(hash%64)
	if *word&bit != 0 {
		return true
	}
	if d.met == d.most {
		clear(d.bits)
		d.met = 0
	}
	d.met++
	*word |= bit
	return false
}
