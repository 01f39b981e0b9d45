package reading

import (
	"strings"
	"time"
)

// appendTime appends nanoseconds since 1970 in RFC 3339, in UTC.
func appendTime(dst []byte, nanos int64) []byte {
	return time.Unix(0, nanos).UTC().AppendFormat(dst, time.RFC3339Nano)
}

// ParseTime reads RFC 3339 of any zone, and returns nanoseconds since 1970 UTC. ok is
// false when it is none, has more than nine digits of a second, or is outside of
// the years 1678 to 2261.
func ParseTime(s string) (nanos int64, ok bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || strings.IndexByte(s, ',') >= 0 { // which time.Parse takes for a point
		return 0, false
	}
	if _, fraction, has := strings.Cut(s, "."); has && strings.IndexAny(fraction, "Z+-") > 9 {
		return 0, false // time.Parse would drop the digits beyond
	}
	nanos = t.UnixNano()
	return nanos, time.Unix(0, nanos).Equal(t)
}

// AppendTime appends Time as in JSON: in RFC 3339, in UTC.
func (r *Reading) AppendTime(dst []byte) []byte { return appendTime(dst, r.Time) }
