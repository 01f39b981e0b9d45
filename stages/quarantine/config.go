package quarantine

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed"
)

// Config is the configuration of a [Store]. It has a Path or a Postgres, not
// both.
type Config struct {
	// Feed is the name of the feed whose quarantine it is: what other feeds keep
	// in the same table is none of its business.
	Feed        string    `yaml:"-"`
	Path        string    `yaml:"path" doc:"SQLite file that holds the quarantine, on a local disk; it and its directory are created when missing."`
	Postgres    Postgres  `yaml:"postgres" doc:"PostgreSQL database that holds the quarantine, in the place of a file."`
	MaxBytes    feed.Size `yaml:"maxBytes" doc:"Most bytes of payloads, properties and texts that are kept; the database is somewhat larger."`
	MaxMessages int64     `yaml:"maxMessages" doc:"Most messages that are kept."`
	Retention   Retention `yaml:"retention" doc:"What is removed without anybody asking. Without it nothing is."`

	// Logger is told what retention has removed; slog.Default() when nil.
	Logger *slog.Logger `yaml:"-"`
}

// Postgres names a table in a PostgreSQL database.
type Postgres struct {
	URL   feed.URL `yaml:"url" doc:"Address of the database: postgres://user:password@host:5432/database. Without sslmode in its query the server must prove with a certificate that it is the host (verify-full)."`
	Table string   `yaml:"table" doc:"Table that holds the messages; it is created when missing. Feeds, and the processes of one feed, may share it."`
}

// Retention says which messages are removed without anybody asking, replayed
// or not. Zero fields remove nothing.
type Retention struct {
	MaxAge   time.Duration `yaml:"maxAge" doc:"Messages that were quarantined longer ago are removed."`
	MaxBytes feed.Size     `yaml:"maxBytes" doc:"Bytes beyond which the oldest messages make room for new ones, as they then do also beyond maxMessages; at most maxBytes."`
}

// DefaultTable is the table of a PostgreSQL database that names none.
const DefaultTable = "quarantine"

// DefaultConfig returns the defaults. The place has none.
func DefaultConfig() Config {
	return Config{MaxBytes: feed.GiB, MaxMessages: 1_000_000, Postgres: Postgres{Table: DefaultTable}}
}

// Place returns where the quarantine is.
func (c *Config) Place() Place { return Place{Path: c.Path, Postgres: c.Postgres, Feed: c.Feed} }

// Validate reports all that is wrong, as [feed.ConfigError]s.
func (c *Config) Validate() error {
	p := c.Place()
	errs := append(p.problems(), p.feedProblem()...)
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	if c.MaxBytes < 1 {
		bad("maxBytes", fmt.Sprintf("%d leaves no room", int64(c.MaxBytes)), "write a size such as 1GiB")
	}
	if c.MaxMessages < 1 {
		bad("maxMessages", fmt.Sprintf("%d leaves no room", c.MaxMessages), "write a number such as 1000000")
	}
	if c.Retention.MaxAge < 0 || c.Retention.MaxAge > 0 && c.Retention.MaxAge < time.Minute {
		bad("retention.maxAge", fmt.Sprintf("%v is too short", c.Retention.MaxAge), "write at least 1m, such as 720h, or remove the key")
	}
	if c.Retention.MaxBytes < 0 || c.Retention.MaxBytes > c.MaxBytes {
		bad("retention.maxBytes", fmt.Sprintf("%v is beyond maxBytes, which is %v: the quarantine would be full before anything is removed", c.Retention.MaxBytes, c.MaxBytes), "write at most that")
	}
	return errors.Join(errs...)
}

// Place says where a quarantine is: in a SQLite file or in a PostgreSQL
// database, and which feed's.
type Place struct {
	Path     string
	Postgres Postgres
	// Feed is whose messages these are. Empty: those of all feeds, which can only
	// be read.
	Feed string
}

var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

func (p *Place) problems() []error {
	var errs []error
	bad := func(key, problem, remedy string) {
		errs = append(errs, &feed.ConfigError{Key: key, Problem: problem, Remedy: remedy})
	}
	if !utf8.ValidString(p.Feed) || strings.ContainsRune(p.Feed, 0) {
		bad("feed", fmt.Sprintf("%q is no name", p.Feed), "use UTF-8 without zero bytes")
	}
	switch {
	case p.Path == "" && p.Postgres.URL.IsZero():
		bad("path", "is empty", "name a file on a local disk, such as /var/lib/feed/quarantine.db, or write postgres: {url: …}")
	case p.Path != "" && !p.Postgres.URL.IsZero():
		bad("postgres", "stands beside path", "keep one of them")
	case p.Path == "":
		if u, err := p.Postgres.URL.Parse(); err != nil {
			bad("postgres.url", err.Error(), "write postgres://user:password@host:5432/database")
		} else if u.Scheme != "postgres" && u.Scheme != "postgresql" {
			bad("postgres.url", "is no address of a PostgreSQL database", "write postgres://user:password@host:5432/database")
		}
		if !tableName.MatchString(p.Postgres.Table) {
			bad("postgres.table", fmt.Sprintf("%q is no name for a table", p.Postgres.Table), "use a to z, digits and _, at most 48")
		}
	}
	return errs
}

// feedProblem refuses a place that is nobody's.
func (p *Place) feedProblem() []error {
	if p.Feed == "" {
		return []error{&feed.ConfigError{Key: "feed", Problem: "is empty", Remedy: "name the feed whose messages these are"}}
	}
	return nil
}

// engine returns the database at the place.
func (p *Place) engine() (engine, error) {
	if err := errors.Join(p.problems()...); err != nil {
		return nil, err
	}
	if p.Path == "" {
		return newPostgres(p.Postgres, p.Feed), nil
	}
	return newSQLite(p.Path, p.Feed)
}
