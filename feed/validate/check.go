package validate

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Validate reports all that is wrong, as a *[feed.ConfigError] or several joined.
func (o Options) Validate() error {
	var errs []error
	wrong := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	if o.Window < time.Second {
		wrong("window", fmt.Sprintf("%s is too short", o.Window), "write 1s or more, such as 1h")
	}
	if o.Lateness < 0 {
		wrong("lateness", fmt.Sprintf("%s is negative", o.Lateness), "write 0s or more")
	}
	for _, n := range []struct {
		key     string
		n, from int
	}{{"maxCells", o.MaxCells, 1}, {"maxRecords", o.MaxRecords, 2}, {"maxListed", o.MaxListed, 0}} {
		if n.n < n.from {
			wrong(n.key, fmt.Sprintf("%d is too small", n.n), fmt.Sprintf("write %d or more", n.from))
		}
	}
	return errors.Join(append(errs, o.Rules.validate(o.Window)...)...)
}

func (r Rules) validate(window time.Duration) (errs []error) {
	wrong := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: "rules." + key, Problem: problem, Remedy: remedy})
	}
	oneOf := func(key, got string, of []string) {
		if !slices.Contains(of, got) {
			wrong(key, fmt.Sprintf("%q is unknown", got), "write one of "+strings.Join(of, ", "))
		}
	}
	oneOf("numbers", string(r.Numbers), r.Numbers.Values())
	oneOf("strings", string(r.Strings), r.Strings.Values())
	for i, f := range r.Ignore {
		oneOf(fmt.Sprintf("ignore[%d]", i), string(f), f.Values())
	}
	for i, v := range r.Tolerate {
		oneOf(fmt.Sprintf("tolerate[%d]", i), string(v), v.Values())
	}
	for _, t := range []struct {
		key string
		by  float64
	}{{"tolerance.absolute", r.Tolerance.Absolute}, {"tolerance.relative", r.Tolerance.Relative}} {
		if !(t.by >= 0) || math.IsInf(t.by, 0) {
			wrong(t.key, fmt.Sprintf("%v is no difference", t.by), "write 0 or a positive number, such as 1e-9")
		}
	}
	if by := r.Tolerance.Relative; by >= 1 && !math.IsInf(by, 0) {
		wrong("tolerance.relative", fmt.Sprintf("%v is no part of a value", by), "write less than 1, such as 1e-9")
	}
	if r.Late < 0 {
		wrong("late", fmt.Sprintf("%s is negative", r.Late), "write 0s or more")
	}
	switch {
	case r.Time < 0:
		wrong("time", fmt.Sprintf("%s is negative", r.Time), "write 0s or more, such as 1ms")
	case r.Time > 0 && window > 0 && window%r.Time != 0:
		wrong("time", fmt.Sprintf("a window of %s is no multiple of %s", window, r.Time), "write one that the window is a multiple of, such as 1ms")
	}
	return errs
}
