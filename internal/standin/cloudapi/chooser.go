package cloudapi

import (
	"encoding/binary"
	"hash/fnv"
	"maps"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// maxLieBytes is the JSON of the longest reading that is lied about, so that all
// lies together stay small.
const maxLieBytes = 4 << 10

// chooser says which readings are lied about.
type chooser struct {
	faults Faults
	left   map[string]int // of each kind
	kinds  []string       // that have some left, in the order of kinds
}

var kinds = []string{kindDrop, kindAlter, kindDuplicate, kindLate}

// newChooser goes on after the lies that there are.
func newChooser(f Faults, told map[key]lie) chooser {
	c := chooser{faults: f, left: map[string]int{kindDrop: f.Drop, kindAlter: f.Alter, kindDuplicate: f.Duplicate, kindLate: f.Late}}
	for _, l := range told {
		c.left[l.kind]--
	}
	c.rest()
	return c
}

func (c *chooser) rest() {
	c.kinds = nil
	for _, k := range kinds {
		if c.left[k] > 0 {
			c.kinds = append(c.kinds, k)
		}
	}
}

func (c chooser) copy() chooser {
	c.left = maps.Clone(c.left)
	return c
}

// done reports whether all are chosen.
func (c *chooser) done() bool { return len(c.kinds) == 0 }

// choose decides about a reading whose JSON has size bytes.
func (c *chooser) choose(r *reading.Reading, size int) (kind string, ok bool) {
	if c.done() || size > maxLieBytes {
		return "", false
	}
	n := fate(c.faults.Seed, keyOf(r))
	if n%uint64(c.faults.OneIn) != 0 {
		return "", false
	}
	kind = c.kinds[n/uint64(c.faults.OneIn)%uint64(len(c.kinds))]
	c.left[kind]--
	c.rest()
	return kind, true
}

// fate is a number that follows from the seed and the reading alone.
func fate(seed uint64, k key) uint64 {
	h := fnv.New64a()
	var b [24]byte
	binary.LittleEndian.PutUint64(b[:], seed)
	binary.LittleEndian.PutUint64(b[8:], uint64(k.Time))
	binary.LittleEndian.PutUint64(b[16:], k.Seq)
	h.Write(b[:])
	h.Write([]byte(k.Device + "\x00" + k.Tag))
	// FNV's low bits are not random enough for a modulus: mix them (MurmurHash3).
	n := h.Sum64()
	n = (n ^ n>>33) * 0xff51afd7ed558ccd
	n = (n ^ n>>33) * 0xc4ceb9fe1a85ec53
	return n ^ n>>33
}
