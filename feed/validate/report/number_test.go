package report

import (
	"testing"
	"time"
)

func TestNumbers(t *testing.T) {
	for got, want := range map[string]string{
		amount(1, "reading"):              "1 reading",
		amount(2, "reading"):              "2 readings",
		percent(0, 0):                     "",
		percent(0, 7):                     "0%",
		percent(7, 7):                     "100%",
		percent(9_999_999, 10_000_000):    "> 99.99%",
		percent(99_985, 100_000):          "99.98%",
		percent(1, 10_000_000):            "< 0.01%",
		percent(1, 3):                     "33.33%",
		size(0):                           "0 B",
		size(1023):                        "1023 B",
		size(1024):                        "1.0 KiB",
		size(1<<20 - 1):                   "1.0 MiB",
		size(1 << 50):                     "1024.0 TiB",
		period(0):                         "0 ns",
		period(999):                       "999 ns",
		period(1500):                      "1.5 µs",
		period(999_999):                   "999 µs",
		period(840 * time.Millisecond):    "840 ms",
		period(1234 * time.Millisecond):   "1.23 s",
		period(59_999 * time.Millisecond): "60 s",
		period(61 * time.Second):          "1 min 1 s",
		period(time.Hour):                 "1 h",
		period(25*time.Hour + 1):          "25 h",
		period(49 * time.Hour):            "2 d 1 h",
		period(-time.Second):              "−1 s",
		span(sampleStart, sampleStart.Add(time.Hour)):      "2026-11-20 00:00 – 01:00 UTC",
		span(sampleStart, sampleStart.Add(24*time.Hour)):   "2026-11-20 00:00 – 2026-11-21 00:00 UTC",
		span(sampleStart, sampleStart.Add(90*time.Second)): "2026-11-20 00:00:00 – 00:01:30 UTC",
		exact(sampleStart.Add(120 * time.Millisecond)):     "2026-11-20 00:00:00.12Z",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
