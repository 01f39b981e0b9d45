package cloudapi

import (
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// altered returns another value of the same kind; n says which. Of no value it
// makes a zero.
func altered(v reading.Value, n uint64) reading.Value {
	switch v.Kind() {
	case reading.Float:
		return reading.OfFloat(math.Float64frombits(math.Float64bits(v.Float()) ^ 1<<(n%52))) // a bit of the fraction
	case reading.Int:
		return reading.OfInt(v.Int() ^ 1<<(n%16))
	case reading.Bool:
		return reading.OfBool(!v.Bool())
	case reading.Text:
		return reading.OfText(v.Text() + "~")
	}
	return reading.OfInt(0)
}
