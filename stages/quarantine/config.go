package quarantine

import (
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

// Config is the configuration of a [Store].
type Config struct {
	Path        string    `yaml:"path" doc:"File that holds the quarantine, on a local disk; it and its directory are created when missing."`
	MaxBytes    feed.Size `yaml:"maxBytes" doc:"Most bytes of payloads, properties and texts that are kept; the file is somewhat larger."`
	MaxMessages int64     `yaml:"maxMessages" doc:"Most messages that are kept."`
}

// DefaultConfig returns the defaults. The path has none.
func DefaultConfig() Config {
	return Config{MaxBytes: feed.GiB, MaxMessages: 1_000_000}
}

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	var errs []error
	if c.Path == "" {
		errs = append(errs, &feed.ConfigError{Key: "path", Problem: "is empty", Remedy: "name a file on a local disk, such as /var/lib/feed/quarantine.db"})
	}
	if c.MaxBytes < 1 {
		errs = append(errs, &feed.ConfigError{Key: "maxBytes", Problem: fmt.Sprintf("%d leaves no room", int64(c.MaxBytes)), Remedy: "write a size such as 1GiB"})
	}
	if c.MaxMessages < 1 {
		errs = append(errs, &feed.ConfigError{Key: "maxMessages", Problem: fmt.Sprintf("%d leaves no room", c.MaxMessages), Remedy: "write a number such as 1000000"})
	}
	return errors.Join(errs...)
}
