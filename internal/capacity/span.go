package capacity

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/kraft-edge/datafeed/feed"
)

// Span is a number of seconds, which may be infinite: then something lasts for
// ever. A time.Duration ends after 292 years.
type Span float64

// String prints it in the unit in which people think of outages, rounded down.
func (s Span) String() string {
	const hour, day = 3600, 24 * 3600
	x := float64(s)
	switch {
	case math.IsInf(x, 1):
		return "for ever"
	case x >= 3650*day:
		return "10 years and more"
	case x >= 10*day:
		return fmt.Sprintf("%.0f days", math.Floor(x/day))
	case x >= 10*hour:
		return fmt.Sprintf("%.0f h", math.Floor(x/hour))
	case x >= hour:
		return fmt.Sprintf("%.1f h", math.Floor(x/hour*10)/10)
	case x >= 60:
		return fmt.Sprintf("%.0f min", math.Floor(x/60))
	}
	return fmt.Sprintf("%.0f s", math.Floor(x))
}

// MarshalJSON writes hours, and null for ever.
func (s Span) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(s), 1) {
		return []byte("null"), nil
	}
	return json.Marshal(math.Floor(float64(s)/3600*1000) / 1000)
}

// Readable rounds a size up to one that people can compare.
func Readable(s feed.Size) string {
	x := float64(s)
	for _, u := range []struct {
		unit feed.Size
		name string
	}{{feed.TiB, "TiB"}, {feed.GiB, "GiB"}, {feed.MiB, "MiB"}, {feed.KiB, "KiB"}} {
		if s < u.unit {
			continue
		}
		if x /= float64(u.unit); x < 10 {
			return fmt.Sprintf("%.1f %s", math.Ceil(x*10)/10, u.name)
		}
		return fmt.Sprintf("%.0f %s", math.Ceil(x), u.name)
	}
	return s.String()
}

// asWritten prints a size in the unit in which it has the fewest digits, as people
// write them into files.
func asWritten(s feed.Size) string {
	text := s.String()
	for _, u := range []struct {
		unit feed.Size
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if shorter := fmt.Sprintf("%d%s", s/u.unit, u.name); s > 0 && s%u.unit == 0 && len(shorter) < len(text) {
			return shorter
		}
	}
	return text
}
