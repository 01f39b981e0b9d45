package ledger

import (
	"fmt"
	"log/slog"

	"github.com/kraft-edge/datafeed/feed"
)

// The bounds of a ledger.
const (
	DefaultMaxBytes = feed.GiB
	LeastMaxBytes   = feed.MiB
)

// Config says where a ledger is.
type Config struct {
	Path     string    // a directory, on a local disk; it is created when missing
	MaxBytes feed.Size // DefaultMaxBytes when zero
	Logger   *slog.Logger
}

func (c *Config) check() error {
	switch {
	case c.Path == "":
		return &feed.ConfigError{Key: "path", Problem: "is empty", Remedy: "write a directory such as /var/lib/feed/ledger"}
	case c.MaxBytes < LeastMaxBytes:
		return &feed.ConfigError{Key: "maxBytes", Problem: fmt.Sprintf("%v is too small", c.MaxBytes), Remedy: fmt.Sprintf("write at least %v", LeastMaxBytes)}
	}
	return nil
}

// segmentBytes is how large a segment becomes: small enough that little is removed
// at a time, and that one can be read into memory.
func (c *Config) segmentBytes() int64 { return min(int64(c.MaxBytes)/8, 16<<20) }
