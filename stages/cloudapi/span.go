package cloudapi

import (
	"math"
	"net/url"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// span is a query in the API's terms.
type span struct {
	device, tag string
	first, last int64 // times, both included
}

// rangeOf returns the span of a query. ok is false when no reading can be meant:
// the API refuses times and names that no reading can have.
func rangeOf(q validate.Query) (s span, ok bool) {
	for _, name := range [...]string{q.Device, q.Tag} {
		if len(name) > reading.MaxName || !utf8.ValidString(name) {
			return s, false
		}
	}
	s = span{device: q.Device, tag: q.Tag}
	s.first, s.last, ok = q.Times()
	return s, ok
}

// shortest is how long a part of a range must be to be asked for by itself: a
// request that returns little costs as much as one that returns a page.
const shortest = time.Hour

// split returns up to n spans of the same length that make up s.
func (s span) split(n int) []span {
	length := uint64(s.last) - uint64(s.first) // less one
	n = int(min(uint64(n), max(length/uint64(shortest), 1)))
	spans := make([]span, n)
	step := length / uint64(n)
	for i := range spans {
		spans[i] = s
		if i > 0 {
			spans[i].first = int64(uint64(s.first) + uint64(i)*step)
			spans[i-1].last = spans[i].first - 1
		}
	}
	return spans
}

// parameters are those of a request for the span; a bound that no reading can
// exceed is left out.
func (s span) parameters(limit int) url.Values {
	v := url.Values{"limit": {strconv.Itoa(limit)}}
	stamp := func(name string, nanos int64) {
		v.Set(name, time.Unix(0, nanos).UTC().Format(time.RFC3339Nano))
	}
	if s.first > math.MinInt64 {
		stamp("from", s.first)
	}
	if s.last < math.MaxInt64 {
		stamp("to", s.last+1)
	}
	if s.device != "" {
		v.Set("device", s.device)
	}
	if s.tag != "" {
		v.Set("tag", s.tag)
	}
	return v
}

// holds reports whether a reading is one that the span means.
func (s span) holds(r *reading.Reading) bool {
	return s.first <= r.Time && r.Time <= s.last && (s.device == "" || s.device == r.Device) && (s.tag == "" || s.tag == r.Tag)
}
