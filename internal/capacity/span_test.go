package capacity

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

func TestSpan(t *testing.T) {
	for s, want := range map[Span][2]string{
		0:                    {"0 s", "0"},
		59.9:                 {"59 s", "0.016"},
		3599:                 {"59 min", "0.999"},
		3600:                 {"1.0 h", "1"},
		7199:                 {"1.9 h", "1.999"},
		72 * 3600:            {"72 h", "72"},
		10 * 24 * 3600:       {"10 days", "240"},
		1e12:                 {"10 years and more", "277777777.777"},
		Span(math.Inf(1)):    {"for ever", "null"},
		10*24*3600 - 1:       {"239 h", "239.999"},
		3600*72 - 0.00000001: {"71 h", "71.999"},
	} {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{s.String(), string(raw)}; got != want {
			t.Errorf("%v: %q, want %q", float64(s), got, want)
		}
	}
}

func TestReadable(t *testing.T) {
	for s, want := range map[feed.Size]string{
		0: "0B", 999: "999B", 1024: "1.0 KiB", 1025: "1.1 KiB", 5 * feed.GiB: "5.0 GiB", 40*feed.GiB + 1: "41 GiB", 3 * feed.TiB: "3.0 TiB",
	} {
		if got := Readable(s); got != want {
			t.Errorf("%d: %s, want %s", s, got, want)
		}
	}
}

func TestAsWritten(t *testing.T) {
	for s, want := range map[feed.Size]string{
		0: "0B", 1: "1B", 1000: "1kB", 1024: "1KiB", 400e6: "400MB", 4 * feed.GiB: "4GiB", 1e9: "1GB", 1e12: "1TB", 69_000_001: "69000001B",
	} {
		if got := asWritten(s); got != want {
			t.Errorf("%d: %s, want %s", s, got, want)
		}
		if back, err := feed.ParseSize(asWritten(s)); err != nil || back != s {
			t.Errorf("%d: read back as %d, %v", s, back, err)
		}
	}
}
