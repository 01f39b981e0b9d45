package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// defaultSpan is how much is compared when nobody says.
const defaultSpan = 24 * time.Hour

// span is the time that is compared.
type span struct {
	from, to time.Time
	note     string // why these, when nobody said so
	rolls    bool   // another one next time: it goes with the clock
}

func (s span) String() string {
	text := s.from.UTC().Format(time.RFC3339) + " to " + s.to.UTC().Format(time.RFC3339)
	if s.note != "" {
		text += " (" + s.note + ")"
	}
	return text
}

// span is what the flags say of the time. Without an end it ends where now
// something can be decided: a window whose lateness has not passed is open
// whatever has arrived.
func (o *validation) span(now time.Time, opts validate.Options) (span, error) {
	s := span{}
	var err error
	if s.to, err = parseTime("--to", o.to); err != nil {
		return s, err
	}
	if s.from, err = parseTime("--from", o.from); err != nil {
		return s, err
	}
	switch {
	case o.last < 0:
		return s, fmt.Errorf("--last: %v is negative", o.last)
	case o.last > 0 && o.from != "":
		return s, errors.New("--last and --from both say where to begin: keep one")
	}
	if o.to == "" {
		s.to = validate.WindowStart(now.Add(-opts.Lateness), opts.Window)
		s.note, s.rolls = "up to the newest window that can be decided", true
	}
	if o.from == "" {
		length := o.last
		if length == 0 {
			length = defaultSpan
		}
		s.from = s.to.Add(-length)
	}
	if !s.from.Before(s.to) {
		if o.to == "" {
			return s, fmt.Errorf("--from: nothing after %s can be decided by now: windows last %v, and %v more must pass; --to says otherwise", s.to.UTC().Format(time.RFC3339), opts.Window, opts.Lateness)
		}
		return s, fmt.Errorf("--from: %s is not before --to, which is %s", s.from.UTC().Format(time.RFC3339), s.to.UTC().Format(time.RFC3339))
	}
	return s, nil
}

// parseTime reads a date or a time; "" is the zero time.
func parseTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s: %q is no time: write 2026-03-01 for midnight in UTC, or 2026-03-01T12:00:00Z", flag, oneLine(text, 60))
}
