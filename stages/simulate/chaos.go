package simulate

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Chaos says what goes wrong, as shares of all batches. What happens to a batch
// follows from the seed, its device and its sequence; several things may. Nothing
// is missing in the end: each batch comes intact, too.
type Chaos struct {
	Corrupt   Share         `yaml:"corrupt" doc:"Share of batches of which a damaged copy comes first (a flipped bit, cut short, a wrong count, or a bomb), and the intact one later."`
	Duplicate Share         `yaml:"duplicate" doc:"Share of batches that come a second time, later."`
	Reorder   Share         `yaml:"reorder" doc:"Share of batches that come after later ones of their device."`
	Garbage   Share         `yaml:"garbage" doc:"Share of batches before which a message comes that is no batch."`
	Conflict  Share         `yaml:"conflict" doc:"Share of batches of which another one with the same sequence and another content comes later."`
	Within    int           `yaml:"within" doc:"How much later what is late comes: 1 to this many batches of the device."`
	Skew      time.Duration `yaml:"skew" doc:"How wrong the clocks of devices are at most: each by a constant of its own, forwards or backwards."`
	Drift     Share         `yaml:"drift" doc:"How much too fast or too slow the clocks of devices are at most."`
}

const (
	maxWithin = 100
	maxSkew   = 366 * 24 * time.Hour
	maxDrift  = 0.01 // so that no clock goes backwards
)

func (c *Chaos) validate(v *validation) {
	for _, s := range c.shares() {
		if !(*s.share >= 0 && *s.share <= 1) {
			v.bad("chaos."+s.name, "write 0% to 100%", "%v is out of range", *s.share)
		}
	}
	if c.Drift > maxDrift {
		v.bad("chaos.drift", "write 1% or less", "%v is too much for a clock", c.Drift)
	}
	v.between("chaos.within", int64(c.Within), 1, maxWithin)
	v.lasts("chaos.skew", c.Skew, 0, maxSkew)
}

type namedShare struct {
	name  string
	share *Share
}

func (c *Chaos) shares() []namedShare {
	return []namedShare{
		{"corrupt", &c.Corrupt}, {"duplicate", &c.Duplicate}, {"reorder", &c.Reorder}, {"garbage", &c.Garbage}, {"conflict", &c.Conflict}, {"drift", &c.Drift},
	}
}

// ClocksOnly returns what concerns the content of batches: the clocks that are
// wrong. Nothing goes wrong with the batches themselves.
func (c Chaos) ClocksOnly() Chaos { return Chaos{Within: c.Within, Skew: c.Skew, Drift: c.Drift} }

// ParseChaos reads a list such as corrupt=1%,duplicate=2%,within=5,skew=30s over
// what c holds. The names are the keys of the configuration.
func (c *Chaos) ParseChaos(text string) error {
	var errs []error
	for field := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(field), "=")
		if name == "" && !ok {
			continue
		}
		if err := c.set(name, value); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (c *Chaos) set(name, value string) (err error) {
	for _, s := range c.shares() {
		if s.name == name {
			if *s.share, err = ParseShare(value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		}
	}
	switch name {
	case "within":
		if c.Within, err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("within: %.40q is no whole number", value)
		}
	case "skew":
		if c.Skew, err = time.ParseDuration(value); err != nil {
			return fmt.Errorf("skew: %.40q is no duration such as 30s", value)
		}
	default:
		return fmt.Errorf("%.40q is unknown: write corrupt, duplicate, reorder, garbage, conflict, drift (as 1%%), within or skew (as 30s)", name)
	}
	return nil
}
