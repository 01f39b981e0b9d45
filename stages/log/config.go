package log

import (
	"errors"
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

// Target says where messages go.
type Target string

// The targets.
const (
	ToStdout Target = "stdout"
	ToStderr Target = "stderr"
	ToLog    Target = "log"
)

// Values returns all targets.
func (Target) Values() []string {
	return []string{string(ToStdout), string(ToStderr), string(ToLog)}
}

// Format says what a line looks like.
type Format string

// The formats.
const (
	FormatPayload Format = "payload"
	FormatJSON    Format = "json"
)

// Values returns all formats.
func (Format) Values() []string { return []string{string(FormatPayload), string(FormatJSON)} }

// Config is the configuration of a [Sink].
type Config struct {
	To     Target `yaml:"to" doc:"Where messages go: stdout, stderr, or log for the feed's own log."`
	Format Format `yaml:"format" doc:"What a line shows: payload, or json for topic and metadata too; of no effect with to: log."`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config { return Config{To: ToStdout, Format: FormatPayload} }

// Durable is false: a line that was printed may be lost.
func (*Config) Durable() bool { return false }

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	var errs []error
	switch c.To {
	case ToStdout, ToStderr, ToLog:
	default:
		errs = append(errs, &feed.ConfigError{Key: "to", Problem: fmt.Sprintf("%q is unknown", string(c.To)), Remedy: "write stdout, stderr or log"})
	}
	switch c.Format {
	case FormatPayload, FormatJSON:
	default:
		errs = append(errs, &feed.ConfigError{Key: "format", Problem: fmt.Sprintf("%q is unknown", string(c.Format)), Remedy: "write payload or json"})
	}
	return errors.Join(errs...)
}
