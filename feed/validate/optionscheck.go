package validate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Validate reports all that is wrong with the options, as *[feed.ConfigError]s.
func (o *Options) Validate() error {
	var errs []error
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	if o.Window < time.Second {
		bad("window", fmt.Sprintf("%v is too short", o.Window), "write at least 1s, such as 1h")
	}
	notNegative := map[string]time.Duration{"lateness": o.Lateness, "rules.time": o.Rules.Time, "rules.late": o.Rules.Late}
	for _, key := range []string{"lateness", "rules.time", "rules.late"} {
		if d := notNegative[key]; d < 0 {
			bad(key, fmt.Sprintf("%v is negative", d), "write 0 or more")
		}
	}
	if o.Window >= time.Second && o.Rules.Time > o.Window {
		bad("rules.time", fmt.Sprintf("%v is beyond the window, which is %v", o.Rules.Time, o.Window), "write less, such as 1ms")
	}
	if t := o.Rules.Tolerance.Absolute; t < 0 {
		bad("rules.tolerance.absolute", fmt.Sprintf("%v is negative", t), "write 0 or more")
	}
	if t := o.Rules.Tolerance.Relative; t < 0 || t >= 1 {
		bad("rules.tolerance.relative", fmt.Sprintf("%v is no part of a value", t), "write 0 or more and less than 1, such as 1e-9")
	}
	errs = append(errs, known("rules.numbers", o.Rules.Numbers), known("rules.strings", o.Rules.Strings))
	for i, f := range o.Rules.Ignore {
		errs = append(errs, known(fmt.Sprintf("rules.ignore[%d]", i), f))
	}
	for i, v := range o.Rules.Tolerate {
		errs = append(errs, known(fmt.Sprintf("rules.tolerate[%d]", i), v))
	}
	for _, bound := range []struct {
		key       string
		is, least int
	}{{"maxCells", o.MaxCells, 1000}, {"maxRecords", o.MaxRecords, 1000}, {"maxListed", o.MaxListed, 1}} {
		if bound.is < bound.least {
			bad(bound.key, fmt.Sprintf("%d is too few", bound.is), fmt.Sprintf("write at least %d", bound.least))
		}
	}
	return errors.Join(errs...)
}

// known checks that a word is one of those that its type knows.
func known[W interface {
	~string
	Values() []string
}](key string, w W) error {
	if slices.Contains(w.Values(), string(w)) {
		return nil
	}
	return &feed.ConfigError{Key: key, Problem: fmt.Sprintf("%q is not valid here", string(w)), Remedy: "valid: " + strings.Join(w.Values(), ", ")}
}
