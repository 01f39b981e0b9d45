package cloudapi

import (
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// key says which reading one is. Pages are in the order of its members.
type key struct {
	Time   int64  `json:"t"`
	Device string `json:"d"`
	Tag    string `json:"g"`
	Seq    uint64 `json:"s"`
}

func keyOf(r *reading.Reading) key { return key{r.Time, r.Device, r.Tag, r.Seq} }

// orderedSeq returns seq as a number that SQLite, whose integers have a sign,
// puts in the same order; orderedSeq(orderedSeq(x)) is x.
func orderedSeq[To, From int64 | uint64](seq From) To {
	return To(uint64(seq) ^ (1 << 63))
}

// before returns t − d, or the least time when that is less.
func before(t, d int64) int64 {
	if t < math.MinInt64+d {
		return math.MinInt64
	}
	return t - d
}
