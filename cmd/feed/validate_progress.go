package main

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/digits"
)

// watchValidation begins to show how far the job is, until stop.
func (c *cli) watchValidation(job *validate.Job) *liveLine {
	var mu sync.Mutex
	last, began := validate.Progress{From: job.From, Reached: job.From, To: job.To}, time.Now()
	job.Progress = func(p validate.Progress) {
		mu.Lock()
		defer mu.Unlock()
		last = p
	}
	return c.showLive(250*time.Millisecond, between, func() string {
		mu.Lock()
		defer mu.Unlock()
		return validationLine(last, time.Since(began))
	})
}

// validationLine says how far a validation is after some time.
func validationLine(p validate.Progress, passed time.Duration) string {
	percent := 0.0
	if whole := p.To.Sub(p.From); whole > 0 {
		percent = 100 * min(1, p.Reached.Sub(p.From).Seconds()/whole.Seconds())
	}
	read := p.Expected.Readings + p.Observed.Readings
	parts := []string{
		fmt.Sprintf("%.0f%%", percent),
		// What differs is read twice, and counts twice here.
		fmt.Sprintf("read %s expected, %s observed", digits.Grouped(p.Expected.Readings), digits.Grouped(p.Observed.Readings)),
		digits.Grouped(int64(float64(read)/max(passed, time.Millisecond).Seconds())) + " readings/s",
	}
	if wrong := wrongOf(p.Counts); wrong != "" {
		parts = append(parts, wrong)
	}
	if p.Phase != "" {
		parts = append(parts, p.Phase)
	}
	return strings.Join(parts, " | ")
}

// wrongOf names what is not matched, the worst first; empty when all is.
func wrongOf(c validate.Counts) string {
	var parts []string
	for _, of := range []struct {
		n    int64
		what string
	}{
		{c.Missing, "missing"}, {c.Altered, "altered"}, {c.Extra, "extra"}, {c.Undecided, "undecided"},
		{c.Duplicate, "duplicate"}, {c.Late, "late"}, {c.OutOfOrder, "out of order"},
	} {
		if of.n > 0 {
			parts = append(parts, digits.Grouped(of.n)+" "+of.what)
		}
	}
	return strings.Join(parts, ", ")
}
