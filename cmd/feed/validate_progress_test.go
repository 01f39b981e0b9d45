package main

import (
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestValidationLine(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	p := validate.Progress{
		From: from, Reached: from.Add(15 * time.Minute), To: from.Add(time.Hour), Phase: "reading",
		Expected: validate.Costs{Readings: 1_234_567}, Observed: validate.Costs{Readings: 765_433},
		Counts: validate.Counts{Missing: 1510, Late: 2},
	}
	const want = "25% | read 1,234,567 expected, 765,433 observed | 1,000,000 readings/s | 1,510 missing, 2 late | reading"
	if got := validationLine(p, 2*time.Second); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
