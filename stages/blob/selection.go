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

func newSelection(q validate.Query) selection {
	s := selection{device: q.Device, tag: q.Tag, first: math.MaxInt64, last: math.MinInt64}
	if q.From.Before(q.To) && !q.From.After(latest) && q.To.After(earliest) {
		s.first, s.last = clampedNanos(q.From), clampedNanos(q.To.Add(-1))
	}
	return s
}

// The bounds of what 64 bits of nanoseconds hold.
var (
	earliest = time.Unix(0, math.MinInt64)
	latest   = time.Unix(0, math.MaxInt64)
)

func clampedNanos(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return math.MinInt64
	case t.After(latest):
		return math.MaxInt64
	}
	return t.UnixNano()
}

func (s *selection) empty() bool { return s.first > s.last }

// meets reports whether readings with times from first to last may be meant.
func (s *selection) meets(first, last int64) bool { return first <= s.last && last >= s.first }

func (s *selection) takes(r *reading.Reading) bool {
	return r.Time >= s.first && r.Time <= s.last && (s.device == "" || s.device == r.Device) && (s.tag == "" || s.tag == r.Tag)
}

// span returns the times as far as calendars go, and slack around them.
func (s *selection) span(slack time.Duration) (from, to time.Time) {
	return time.Unix(0, s.first).UTC().Add(-slack), time.Unix(0, s.last).UTC().Add(slack)
}
