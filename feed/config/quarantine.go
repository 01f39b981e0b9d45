package config

import (
	"fmt"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Quarantine says where messages go that can never be delivered: to a file or
// to a database.
type Quarantine struct {
	Path        string    `yaml:"path" doc:"SQLite file that holds the quarantine, on a local disk that survives restarts; it and its folder are created when missing."`
	Postgres    Postgres  `yaml:"postgres" doc:"PostgreSQL database that holds the quarantine, in the place of a file; feeds, and the processes of one feed, may share it. It wants a name for the feed."`
	MaxBytes    feed.Size `yaml:"maxBytes" doc:"Most bytes that the quarantine holds; when it is full, routes that need it pause."`
	MaxMessages int       `yaml:"maxMessages" doc:"Most messages that the quarantine holds; when it is full, routes that need it pause."`
	Retention   Retention `yaml:"retention" doc:"What is removed from the quarantine without anybody asking, replayed or not; it is logged and counted. Without it nothing is."`
}

// Postgres names a table in a PostgreSQL database.
type Postgres struct {
	URL   feed.URL `yaml:"url" doc:"Address of the database: postgres://user:password@host:5432/database. Without sslmode in its query the server must prove with a certificate that it is the host (verify-full)."`
	Table string   `yaml:"table" doc:"Table that holds the messages; it is created when missing. Feeds of different names may share it."`
}

var tableName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,47}$`)

// Retention says what is removed from the quarantine without anybody asking.
type Retention struct {
	MaxAge   time.Duration `yaml:"maxAge" doc:"Messages that were quarantined longer ago are removed."`
	MaxBytes feed.Size     `yaml:"maxBytes" doc:"Bytes beyond which the oldest messages make room for new ones, as they then do also beyond maxMessages, so that routes need not pause; at most the maxBytes of the quarantine."`
}

func defaultQuarantine() Quarantine {
	return Quarantine{MaxBytes: feed.GiB, MaxMessages: 1_000_000, Postgres: Postgres{Table: "quarantine"}}
}

// Off reports whether there is no quarantine.
func (q Quarantine) Off() bool { return q.Path == "" && q.Postgres.URL.IsZero() }

// checkQuarantine checks where the quarantine is, and its bounds.
func (d *decoder) checkQuarantine(q Quarantine, root *yaml.Node, bad func(key, reason, remedy string)) {
	set := func(key string) bool {
		_, exact := locate(root, "quarantine."+key)
		return exact
	}
	e, ok := find(root, "quarantine")
	said := ok && len(resolve(e.value).Content) > 0
	if q.MaxBytes < feed.MiB {
		bad("quarantine.maxBytes", "must be at least 1MiB", "")
	}
	if q.MaxMessages < 1 {
		bad("quarantine.maxMessages", "must be at least 1", "")
	}
	switch {
	case set("postgres.url"): // it may have a problem of its own
	case set("postgres"):
		bad("quarantine.postgres", "has no url", "write url: ${DATABASE_URL}")
	case said && q.Path == "":
		bad("quarantine", "has no path", "write path: and the file that is to hold it, or postgres: {url: …}")
	}
	if _, named := find(root, "name"); set("postgres.url") && q.Path == "" && !named {
		bad("quarantine.postgres", "holds messages of several feeds, told apart by their names, and this feed has none", "write name: at the top, the same in all processes of this feed and in no other feed")
	}
	if q.Path != "" && set("postgres") {
		bad("quarantine.postgres", "stands beside path", "keep one of them")
	}
	if u, err := q.Postgres.URL.Parse(); !q.Postgres.URL.IsZero() && err == nil && u.Scheme != "postgres" && u.Scheme != "postgresql" {
		bad("quarantine.postgres.url", "is no address of a PostgreSQL database", "write postgres://user:password@host:5432/database")
	}
	if !tableName.MatchString(q.Postgres.Table) {
		bad("quarantine.postgres.table", quote(q.Postgres.Table)+" is no name for a table", "use a to z, digits and _, at most 48")
	}
	if age := q.Retention.MaxAge; age != 0 && age < time.Minute {
		bad("quarantine.retention.maxAge", fmt.Sprintf("%v is too short", age), "write at least 1m, such as 720h, or remove the key")
	}
	if q.Retention.MaxBytes > q.MaxBytes {
		bad("quarantine.retention.maxBytes", fmt.Sprintf("%v is beyond maxBytes, which is %v: the quarantine would be full before anything is removed", q.Retention.MaxBytes, q.MaxBytes), "write at most that")
	}
}
