package blob

import (
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// selection is which readings a query means, in nanoseconds since 1970.
type selection struct {
	device, tag string
	first, last int64 // both included
}

// newSelection returns the selection of a query. ok is false when no reading is meant.
func newSelection(q validate.Query) (_ selection, ok bool) {
	s := selection{device: q.Device, tag: q.Tag}
	s.first, s.last, ok = q.Times()
	return s, ok
}

// The bounds of what 64 bits of nanoseconds hold.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

// meets reports whether readings with times from first to last may be meant.
func (s *selection) meets(first, last int64) bool { return first <= s.last && last >= s.first }

func (s *selection) takes(r *reading.Reading) bool {
	return r.Time >= s.first && r.Time <= s.last && (s.device == "" || s.device == r.Device) && (s.tag == "" || s.tag == r.Tag)
}

// span returns the times as far as calendars go, and slack around them.
func (s *selection) span(slack time.Duration) (from, to time.Time) {
	return time.Unix(0, s.first).UTC().Add(-slack), time.Unix(0, s.last).UTC().Add(slack)
}
