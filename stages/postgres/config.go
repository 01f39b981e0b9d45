package postgres

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Config is the configuration of a [Sink] and of a [Reader].
type Config struct {
	URL            feed.URL      `yaml:"url" doc:"Address of the database: postgres://user@host:5432/database. Without sslmode in its query the server must prove with a certificate that it is the host (verify-full)."`
	Password       feed.Secret   `yaml:"password" doc:"Password of the URL's user, read anew at each connect."`
	Schema         string        `yaml:"schema" doc:"Schema that holds the tables; nothing else should be in it."`
	Migrate        bool          `yaml:"migrate" doc:"Create what is missing at the start. With false the owner of the database does it: see docs/postgres.md."`
	Partition      time.Duration `yaml:"partition" doc:"Time that one partition (a chunk of a hypertable) covers."`
	Retention      time.Duration `yaml:"retention" doc:"Partitions whose readings all are older are dropped; 0 keeps them for ever."`
	MaxAge         time.Duration `yaml:"maxAge" doc:"Readings that are older, or older than the retention, are quarantined."`
	MaxAhead       time.Duration `yaml:"maxAhead" doc:"Readings whose time is further in the future are quarantined: the clock of a device is wrong."`
	CompressAfter  time.Duration `yaml:"compressAfter" doc:"Age at which TimescaleDB compresses a chunk, where there is TimescaleDB."`
	ConnectTimeout time.Duration `yaml:"connectTimeout" doc:"Longest time of a connect."`
	Timeout        time.Duration `yaml:"timeout" doc:"Longest time of one request to the server."`
}

const day = 24 * time.Hour

// DefaultConfig returns the defaults. The URL has none.
func DefaultConfig() Config {
	return Config{
		Schema: "telemetry", Migrate: true,
		Partition: day, MaxAge: 365 * day, MaxAhead: day, CompressAfter: 7 * day,
		ConnectTimeout: 10 * time.Second, Timeout: 30 * time.Second,
	}
}

// Durable is true: what was committed is durable.
func (*Config) Durable() bool { return true }

// Reads returns nothing: a sink reads from nowhere.
func (*Config) Reads() []string { return nil }

// Writes returns the schema's address without credentials and query.
func (c *Config) Writes() []string {
	u, err := c.URL.Parse()
	if err != nil {
		return nil
	}
	return []string{"postgres://" + u.Host + u.Path + "/" + c.Schema}
}

// maxPartitions bounds how many partitions readings can have made: a query over
// all of them locks each.
const maxPartitions = 4000

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, remedy, format string, a ...any) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: fmt.Sprintf(format, a...), Remedy: remedy})
	}
	c.validateURL(bad)
	if !schemaName.MatchString(c.Schema) {
		bad("schema", "use a to z, digits and _, at most 63", "%q is no name for a schema", c.Schema)
	}
	if c.Partition < time.Hour || c.Partition > 3650*day || c.Partition%time.Second != 0 {
		bad("partition", "write 1h to 87600h, such as 24h or 168h, in whole seconds", "%v is out of range", c.Partition)
	}
	if c.Retention != 0 && c.Retention < c.Partition {
		bad("retention", "write more than that, or 0 to keep everything", "%v is shorter than a partition (%v), which is dropped as a whole", c.Retention, c.Partition)
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"maxAge", c.MaxAge}, {"maxAhead", c.MaxAhead}, {"compressAfter", c.CompressAfter}, {"connectTimeout", c.ConnectTimeout}, {"timeout", c.Timeout}} {
		if d.value < time.Millisecond {
			bad(d.key, "write a duration such as 10s or 24h", "%v is too short", d.value)
		}
	}
	if c.Partition > 0 {
		if n := int64(c.oldest()/c.Partition) + int64(c.MaxAhead/c.Partition); n > maxPartitions {
			bad("maxAge", "write a longer partition, or a shorter maxAge or maxAhead", "with maxAhead and a partition of %v, it lets readings make %d partitions, more than %d", c.Partition, n, maxPartitions)
		}
	}
	return errors.Join(errs...)
}

func (c *Config) validateURL(bad func(key, remedy, format string, a ...any)) {
	const remedy = "write postgres://user@host:5432/database"
	if c.URL.IsZero() {
		bad("url", remedy, "is missing")
		return
	}
	u, err := c.URL.Parse()
	switch {
	case err != nil:
		// A secret file may be missing where a configuration is only checked.
		if !errors.As(err, new(*fs.PathError)) {
			bad("url", remedy, "%v", err)
		}
		return
	case u.Scheme != "postgres" && u.Scheme != "postgresql":
		bad("url", remedy, "is no address of a PostgreSQL database")
		return
	}
	if _, inURL := u.User.Password(); inURL && !c.Password.IsZero() {
		bad("password", "keep one of the two", "stands beside a password in url")
	}
	if _, err := connConfig(u.String()); err != nil {
		bad("url", remedy, "%v", err) // it shows no password
	}
}

// oldest returns the age beyond which a reading is refused.
func (c *Config) oldest() time.Duration {
	if c.Retention > 0 {
		return min(c.MaxAge, c.Retention)
	}
	return c.MaxAge
}
