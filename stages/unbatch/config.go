package unbatch

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// Config is the configuration of an [Unbatch].
type Config struct {
	Cache  Cache  `yaml:"cache" doc:"Remembers the batches that were delivered, so that one that comes again is counted, and another with its number is quarantined. Without a path there is none."`
	Limits Limits `yaml:"limits" doc:"What one batch may cost. One that costs more is quarantined."`

	// Codecs come before those of [batch.All].
	Codecs []feed.Nested `yaml:"codecs" stage:"codec" doc:"Codecs beside the built-in ones, such as those of plugins: a list of one stage each with its settings. Of two with one name the first counts."`
}

// Cache says where and how long batches are remembered.
type Cache struct {
	Path     string        `yaml:"path" doc:"SQLite file, on a local disk; it and its directory are created when missing. Routes may share it."`
	MaxBytes feed.Size     `yaml:"maxBytes" doc:"Most bytes of the file, about 150 for each batch; beyond that the oldest are forgotten. A log of some megabytes lies beside it."`
	MaxAge   time.Duration `yaml:"maxAge" doc:"Batches that were delivered longer ago are forgotten; 0 keeps them."`
}

// Limits are those of [batch.Limits], of one batch.
type Limits struct {
	MaxBytes    feed.Size `yaml:"maxBytes" doc:"Most bytes that its body is unpacked to, of all of its texts together, and of all payloads and topics made of it."`
	MaxRatio    int       `yaml:"maxRatio" doc:"Most times its own length that a body is unpacked to, when that is more than 1 MiB."`
	MaxReadings int       `yaml:"maxReadings" doc:"Most readings. Each takes some 1 KB of memory while it is unpacked and 0.7 KB as a message, more with long names, also when a hundred bytes of columns say all of them."`
	MaxWindow   feed.Size `yaml:"maxWindow" doc:"Largest window of zstd."`
	MaxText     feed.Size `yaml:"maxText" doc:"Longest text of a reading."`
}

// The limits of a configuration.
const (
	minCacheBytes = 4 * feed.MiB
	maxCacheBytes = feed.TiB
	maxBytes      = feed.GiB
	maxRatio      = 1_000_000
	maxReadings   = 1_000_000 // which take 1 GB, see TestManyReadings
	maxWindow     = 128 * feed.MiB
	maxText       = feed.MiB // of a reading
)

// DefaultConfig returns the defaults. The cache's path has none.
func DefaultConfig() Config {
	return Config{
		Cache:  Cache{MaxBytes: 5 * feed.GiB},
		Limits: Limits{MaxBytes: 64 * feed.MiB, MaxRatio: 500, MaxReadings: 100_000, MaxWindow: 8 * feed.MiB, MaxText: maxText},
	}
}

// FanOut says that a batch becomes many messages.
func (c *Config) FanOut() bool { return true }

// Reads is empty: what the cache holds is no message.
func (c *Config) Reads() []string { return nil }

// Writes names the file of the cache.
func (c *Config) Writes() []string {
	if c.Cache.Path == "" {
		return nil
	}
	path, err := filepath.Abs(c.Cache.Path)
	if err != nil {
		return nil
	}
	return []string{"file://" + filepath.ToSlash(path)}
}

var _ feed.EndpointConfig = (*Config)(nil)

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	between := func(key string, value, least, most feed.Size) {
		if value < least || value > most {
			bad(key, fmt.Sprintf("write a size from %v to %v", least, most), "%v is out of range", value)
		}
	}
	number := func(key string, value, most int) {
		if value < 1 || value > most {
			bad(key, fmt.Sprintf("write a number from 1 to %d", most), "%d is out of range", value)
		}
	}
	between("cache.maxBytes", c.Cache.MaxBytes, minCacheBytes, maxCacheBytes)
	if c.Cache.MaxAge < 0 || c.Cache.MaxAge > 0 && c.Cache.MaxAge < time.Minute {
		bad("cache.maxAge", "write at least 1m, such as 720h, or remove the key", "%v is too short", c.Cache.MaxAge)
	}
	if c.Cache.MaxAge > 0 && c.Cache.Path == "" {
		bad("cache.path", "write the path of a file, or remove cache", "maxAge has no effect without it")
	}
	between("limits.maxBytes", c.Limits.MaxBytes, feed.KiB, maxBytes)
	number("limits.maxRatio", c.Limits.MaxRatio, maxRatio)
	number("limits.maxReadings", c.Limits.MaxReadings, maxReadings)
	between("limits.maxWindow", c.Limits.MaxWindow, feed.KiB, maxWindow)
	between("limits.maxText", c.Limits.MaxText, 1, maxText)
	for i, codec := range c.Codecs {
		if codec.IsZero() {
			bad(fmt.Sprintf("codecs[%d]", i), "write its name with its settings, or remove the entry", "names no codec")
		}
	}
	return errors.Join(errs...)
}

func (l Limits) ofBatch() batch.Limits {
	return batch.Limits{
		MaxBytes: int(l.MaxBytes), MaxRatio: l.MaxRatio, MaxReadings: l.MaxReadings,
		MaxWindow: int(l.MaxWindow), MaxText: int(l.MaxText),
	}
}
