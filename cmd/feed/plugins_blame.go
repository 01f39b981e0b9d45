package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed/config"
)

// withoutPlugins returns all that is wrong with a file whose plugins cannot be read:
// that, and what was found without them, but for stages that one of them may have.
func withoutPlugins(plugins, rest error) error {
	var of, beside *config.Error
	if !errors.As(plugins, &of) || !errors.As(rest, &beside) {
		return plugins
	}
	lacking := func(p config.Problem) bool { return p.Lacking != "" }
	return of.Join(&config.Error{Problems: slices.DeleteFunc(slices.Clone(beside.Problems), lacking), More: beside.More})
}

// blamePlugins tells of plugins that are left out before what is wrong with the file,
// and that they may have a stage that nobody has.
func (c *cli) blamePlugins(err error) error {
	var ce *config.Error
	if !errors.As(err, &ce) {
		return err
	}
	left := c.leftOut()
	if left == nil {
		return err
	}
	var names []string
	for _, p := range c.plugins.Plugins() {
		if p.Error != "" {
			names = append(names, p.Name)
		}
	}
	which := fmt.Sprintf("plugin %s, which is left out", names[0])
	if len(names) > 1 {
		which = fmt.Sprintf("one of the plugins %s, which are left out", strings.Join(names, ", "))
	}
	for i := range ce.Problems {
		if p := &ce.Problems[i]; p.Lacking != "" {
			p.Reason += "; it may be in " + which
		}
	}
	return errors.Join(left, err)
}
