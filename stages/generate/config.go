package generate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Config is the configuration of a [Source] and a [Generator].
type Config struct {
	Site         string `yaml:"site" doc:"Name of the site: letters, digits, - and _."`
	Lines        int    `yaml:"lines" doc:"Number of lines that the devices are spread over."`
	Devices      int    `yaml:"devices" doc:"Number of devices."`
	Tags         int    `yaml:"tags" doc:"Number of tags of each device."`
	Rate         int    `yaml:"rate" doc:"Readings per second of all devices together; 0 makes them as fast as they are taken."`
	Count        int64  `yaml:"count" doc:"Number of readings after which the source ends; 0 is without end."`
	PayloadBytes int    `yaml:"payloadBytes" doc:"Least bytes of a payload; shorter ones are padded."`
	Seed         int64  `yaml:"seed" doc:"What all but the times follows from."`
	Start        string `yaml:"start" doc:"Time of the first reading (RFC 3339), which makes the times follow from it; empty takes the clock's."`
	WindowSize   int    `yaml:"window" doc:"Most messages that are handed out and not settled."`
}

// The limits of a configuration.
const (
	maxSeries       = 10_000_000 // devices × tags
	maxRate         = 10_000_000
	maxPayloadBytes = 16 << 20
	maxWindow       = 1_000_000
	maxSite         = 64
)

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Site: "plant1", Lines: 4, Devices: 200, Tags: 5, Rate: 1000, PayloadBytes: 200, Seed: 1, WindowSize: 10_000}
}

// Window says how many unsettled messages the source hands out at most.
func (c *Config) Window() int { return c.WindowSize }

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	between := func(key string, value, least, most int64) {
		if value < least || value > most {
			bad(key, fmt.Sprintf("write a number from %d to %d", least, most), "%d is out of range", value)
		}
	}
	if len(c.Site) == 0 || len(c.Site) > maxSite || strings.ContainsFunc(c.Site, notInName) {
		bad("site", "write letters, digits, - and _", "%.80q is no name", c.Site)
	}
	between("lines", int64(c.Lines), 1, maxSeries)
	between("devices", int64(c.Devices), 1, maxSeries)
	between("tags", int64(c.Tags), 1, maxSeries)
	if c.Devices > 0 && c.Tags > maxSeries/c.Devices {
		bad("tags", fmt.Sprintf("devices × tags may be %d at most", maxSeries), "%d tags of %d devices are too many", c.Tags, c.Devices)
	}
	between("rate", int64(c.Rate), 0, maxRate)
	if c.Count < 0 {
		bad("count", "write 0 for a source without end", "%d is negative", c.Count)
	}
	between("payloadBytes", int64(c.PayloadBytes), 0, maxPayloadBytes)
	between("window", int64(c.WindowSize), 1, maxWindow)
	if _, err := c.start(); err != nil {
		bad("start", "write a time such as 2026-01-01T00:00:00Z", "%.80q is no time", c.Start)
	}
	return errors.Join(errs...)
}

// start returns the configured start, or the zero time.
func (c *Config) start() (time.Time, error) {
	if c.Start == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, c.Start)
}

func notInName(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}
