package validator

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/filelock"
)

// Config is the configuration of a [Sink].
type Config struct {
	Expect    feed.Nested   `yaml:"expect" stage:"expectation" doc:"What there should be, from a source independent of the feed: one stage with its settings."`
	Path      string        `yaml:"path" doc:"Directory of its own on a local disk, in which readings and what was found of them are kept."`
	Retention time.Duration `yaml:"retention" doc:"How long readings are kept, and their windows judged, at most."`
	MaxBytes  feed.Size     `yaml:"maxBytes" doc:"Most bytes of the readings that are kept. Those whose windows are judged make room; when there are none the route is held back."`
	Every     time.Duration `yaml:"every" doc:"Time between two runs that compare."`
	Report    string        `yaml:"report" doc:"Directory for reports in HTML and JSON, of which the last hundred are kept; empty writes none."`

	validate.Options `yaml:",inline"`
}

// DefaultConfig returns the defaults. They lack expect and path.
func DefaultConfig() Config {
	c := Config{Retention: 7 * 24 * time.Hour, MaxBytes: 4 * feed.GiB, Every: 15 * time.Minute, Options: validate.DefaultOptions()}
	// It runs beside the routes of a small machine, on a window or an hour at a time.
	c.MaxCells, c.MaxRecords = 200_000, 200_000
	return c
}

// Durable implements [feed.DurableConfig].
func (*Config) Durable() bool { return true }

// Validate reports all that is wrong. It does no I/O.
func (c *Config) Validate() error {
	errs := []error{c.Options.Validate()}
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	if c.Expect.IsZero() {
		bad("expect", "write an expectation such as cloudapi: {…}; feed stages lists all", "is missing")
	}
	if c.Path == "" {
		bad("path", "write a directory such as /var/lib/feed/validator", "is missing")
	}
	if c.Every < time.Second || c.Every > 24*time.Hour {
		bad("every", "write 1s to 24h, such as 15m", "%s is out of range", c.Every)
	}
	// A window is judged when it has ended, lateness has passed and a run comes: the
	// readings of it must be there until then, and for a second try.
	if least := c.Window + c.Lateness + 2*c.Every; c.Retention < least {
		bad("retention", fmt.Sprintf("write %s or more, which is window, lateness and twice every", least), "%s is too short for a window to be judged", c.Retention)
	} else if c.Retention > 10*365*24*time.Hour {
		bad("retention", "write at most ten years", "%s is out of range", c.Retention)
	}
	if c.MaxBytes < feed.MiB {
		bad("maxBytes", "write 1MiB or more, such as 4GiB", "%s is too small", c.MaxBytes)
	}
	if c.Report != "" && c.Path != "" && filepath.Clean(c.Report) == filepath.Clean(c.Path) {
		bad("report", "write a directory of its own", "is path, which holds the readings")
	}
	return errors.Join(errs...)
}

// Free returns nil when no process has the directory, at this moment, and otherwise an
// error that names it: a sink would wait until that ends.
func (c *Config) Free() error {
	lock, err := filelock.Take(filepath.Join(c.Path, lockName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil // there is no directory yet
	case err != nil:
		return fmt.Errorf("validator: %w", err)
	}
	return lock.Close()
}
