package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Config is the configuration of a [Simulator] and a [Source].
type Config struct {
	Sites      []string      `yaml:"sites" doc:"Names of the sites that the devices are spread over: letters, digits, - and _."`
	Lines      int           `yaml:"lines" doc:"Number of lines of each site that the devices are spread over."`
	Devices    int           `yaml:"devices" doc:"Number of devices of all sites together."`
	Tags       int           `yaml:"tags" doc:"Number of tags of each device."`
	Rate       int           `yaml:"rate" doc:"Readings per second of all devices together; 0 makes batches as fast as they are taken."`
	Period     time.Duration `yaml:"period" doc:"Time between two samples of a device, more or less, with rate 0; else it follows from the rate."`
	Count      int64         `yaml:"count" doc:"Number of readings after which the source ends; 0 is without end."`
	Seed       int64         `yaml:"seed" doc:"What all but the times follows from."`
	Start      string        `yaml:"start" doc:"Time at which the devices begin (RFC 3339), which makes the times follow from it; empty takes the clock's."`
	Batch      Batch         `yaml:"batch" doc:"When a device closes a batch."`
	Codec      Codec         `yaml:"codec" doc:"How devices encode batches; mixed gives each device one of them."`
	Chaos      Chaos         `yaml:"chaos" doc:"What goes wrong, on purpose."`
	WindowSize int           `yaml:"window" doc:"Most batches that are handed out and not settled."`
}

// Batch says when a device closes a batch.
type Batch struct {
	Readings int           `yaml:"readings" doc:"Most readings of a batch."`
	Every    time.Duration `yaml:"every" doc:"How long a device collects readings for a batch at most."`
}

// The limits of a configuration.
const (
	maxSeries   = 1_000_000 // devices × tags
	maxSites    = 1_000
	maxRate     = 10_000_000
	maxReadings = 100_000
	maxWindow   = 100_000
	maxSite     = 64
	minPeriod   = time.Microsecond
	maxPeriod   = 24 * time.Hour
	maxEvery    = 365 * 24 * time.Hour
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Sites: []string{"plant1"}, Lines: 4, Devices: 20, Tags: 16, Rate: 1000, Period: 100 * time.Millisecond, Seed: 1,
		Batch: Batch{Readings: 1000, Every: 10 * time.Second}, Codec: "json+gzip", Chaos: Chaos{Within: 3}, WindowSize: 1000,
	}
}

// Window says how many unsettled messages the source hands out at most.
func (c *Config) Window() int { return c.WindowSize }

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	v := &validation{}
	switch {
	case len(c.Sites) == 0:
		v.bad("sites", "write a list such as [plant1]", "there is none")
	case len(c.Sites) > maxSites:
		v.bad("sites", fmt.Sprintf("write %d at most", maxSites), "%d are too many", len(c.Sites))
	}
	for i, site := range c.Sites {
		key := fmt.Sprintf("sites[%d]", i)
		if site == "" || len(site) > maxSite || strings.ContainsFunc(site, notInName) {
			v.bad(key, "write letters, digits, - and _", "%.80q is no name", site)
		} else if slices.Contains(c.Sites[:i], site) {
			v.bad(key, "remove one of them", "%q is there twice", site)
		}
	}
	v.between("lines", int64(c.Lines), 1, maxSeries)
	v.between("devices", int64(c.Devices), 1, maxSeries)
	v.between("tags", int64(c.Tags), 1, maxSeries)
	if c.Devices > 0 && c.Tags > maxSeries/c.Devices {
		v.bad("tags", fmt.Sprintf("devices × tags may be %d at most", maxSeries), "%d tags of %d devices are too many", c.Tags, c.Devices)
	}
	v.between("rate", int64(c.Rate), 0, maxRate)
	v.lasts("period", c.Period, minPeriod, maxPeriod)
	if c.Count < 0 {
		v.bad("count", "write 0 for a source without end", "%d is negative", c.Count)
	}
	if _, err := c.start(); err != nil {
		v.bad("start", "write a time from 1970 to 2200 such as 2026-01-01T00:00:00Z", "%.80q is no such time", c.Start)
	}
	v.between("batch.readings", int64(c.Batch.Readings), 1, maxReadings)
	v.lasts("batch.every", c.Batch.Every, time.Millisecond, maxEvery)
	if !slices.Contains(c.Codec.Values(), string(c.Codec)) {
		v.bad("codec", "write "+strings.Join(c.Codec.Values(), ", "), "%.80q is unknown", string(c.Codec))
	}
	c.Chaos.validate(v)
	v.between("window", int64(c.WindowSize), 1, maxWindow)
	return errors.Join(v.errs...)
}

// validation gathers what is wrong.
type validation struct{ errs []error }

func (v *validation) bad(key, remedy, format string, a ...any) {
	v.errs = append(v.errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
}

func (v *validation) between(key string, value, least, most int64) {
	if value < least || value > most {
		v.bad(key, fmt.Sprintf("write a number from %d to %d", least, most), "%d is out of range", value)
	}
}

func (v *validation) lasts(key string, value, least, most time.Duration) {
	if value < least || value > most {
		v.bad(key, fmt.Sprintf("write a duration from %v to %v", least, most), "%v is out of range", value)
	}
}

// start returns the configured start, or the zero time.
func (c *Config) start() (time.Time, error) {
	if c.Start == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, c.Start)
	if err == nil && (t.Year() < 1970 || t.Year() > 2200) {
		err = errors.New("out of range")
	}
	return t, err
}

func notInName(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
