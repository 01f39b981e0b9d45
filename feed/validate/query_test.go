package validate_test

import (
	"math"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// A query means the times from From on and before To, of those that 64 bits of
// nanoseconds hold.
func TestTimesOfQuery(t *testing.T) {
	least, most := time.Unix(0, math.MinInt64), time.Unix(0, math.MaxInt64)
	for _, tt := range []struct {
		from, to    time.Time
		first, last int64
		none        bool
	}{
		{from: start, to: start.Add(time.Second), first: start.UnixNano(), last: start.UnixNano() + 999_999_999},
		{from: start, to: start.Add(1), first: start.UnixNano(), last: start.UnixNano()},
		{from: start, to: start, none: true},
		{from: start.Add(1), to: start, none: true},
		{from: time.Time{}, to: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), first: math.MinInt64, last: math.MaxInt64},
		{from: least, to: most, first: math.MinInt64, last: math.MaxInt64 - 1},
		{from: most, to: most.Add(1), first: math.MaxInt64, last: math.MaxInt64},
		{from: most.Add(1), to: most.Add(2), none: true},
		{from: least.Add(-1), to: least.Add(1), first: math.MinInt64, last: math.MinInt64},
		{from: least.Add(-1), to: least, none: true},
	} {
		first, last, ok := validate.Query{From: tt.from, To: tt.to}.Times()
		if ok == tt.none || ok && (first != tt.first || last != tt.last) {
			t.Errorf("%s to %s means %d to %d, %v; want %d to %d, %v", tt.from, tt.to, first, last, ok, tt.first, tt.last, !tt.none)
		}
	}
}
