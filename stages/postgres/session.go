package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kraft-edge/datafeed/internal/pgurl"
)

// connConfig reads an address.
func connConfig(text string) (*pgx.ConnConfig, error) {
	u, err := pgurl.WithTLS(text)
	if err != nil {
		return nil, err
	}
	return pgx.ParseConfig(u.String())
}

// session is a connection to the server. It is for one goroutine.
type session struct {
	conn *pgx.Conn
	hang context.CancelFunc // ends what still uses the network
	// timeout bounds one request; the server gives up by itself, too.
	timeout time.Duration
	server  properties
	// waitCut says that a commit has not waited for the standbys to the end.
	waitCut bool
}

// properties are what the server says about itself.
type properties struct {
	version       int // 150003 is 15.3
	encoding      string
	fsync         bool
	readOnly      bool
	hasPoints     bool // there is a table of this name in the schema
	hypertable    bool // points is no partitioned table
	hasVersions   bool
	schemaIsThere bool
}

// access is how a session may use the database.
type access bool

const (
	readOnly  access = false
	readWrite access = true
)

// connect reads the secrets and connects. It changes nothing.
func connect(ctx context.Context, c *Config, a access) (_ *session, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("connect to %s: %w", c.URL, pgurl.Explain(explained(err)))
		}
	}()
	text, err := c.URL.Reveal()
	if err != nil {
		return nil, err
	}
	config, err := connConfig(text)
	if err != nil {
		return nil, err // it shows no password
	}
	if !c.Password.IsZero() {
		if config.Password, err = c.Password.Reveal(); err != nil {
			return nil, err
		}
	}
	config.ConnectTimeout = c.ConnectTimeout
	for name, value := range map[string]string{
		"application_name":  "datafeed",
		"client_encoding":   "UTF8",
		"datestyle":         "ISO",
		"timezone":          "UTC",
		"search_path":       searchPath(c.Schema),
		"statement_timeout": strconv.FormatInt(c.Timeout.Milliseconds(), 10),
	} {
		config.RuntimeParams[name] = value
	}
	if a == readWrite {
		// A message is settled when it stands here: the server's own setting may
		// promise less.
		config.RuntimeParams["synchronous_commit"] = "on"
	} else {
		config.RuntimeParams["default_transaction_read_only"] = "on"
		// A page is taken from the index, where it stands in order. A planner that
		// expects few rows would read and sort all that follow, for each page; and
		// where it must sort, as for counts, compile what it takes for expensive.
		for _, detour := range []string{"enable_sort", "enable_seqscan", "enable_bitmapscan", "jit"} {
			config.RuntimeParams[detour] = "off"
		}
	}
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTimeout+c.Timeout)
	defer cancel()
	lifetime, hang := context.WithCancel(context.Background())
	config.DialFunc = dialWithin(lifetime, config.DialFunc)
	s := &session{hang: hang, timeout: c.Timeout}
	config.OnNotice = s.notice
	if s.conn, err = pgx.ConnectConfig(ctx, config); err != nil {
		hang()
		return nil, err
	}
	if err := s.examine(ctx, c.Schema); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// searchPath keeps a temporary table from standing in for one of the schema.
func searchPath(schema string) string { return pgx.Identifier{schema}.Sanitize() + ", pg_temp" }

// oldestServer is the first version that can do all that is asked of it.
const oldestServer = 14_00_00

// examine asks the server for its properties.
func (s *session) examine(ctx context.Context, schema string) error {
	p := &s.server
	err := s.conn.QueryRow(ctx, `
		SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('fsync')::bool,
			pg_is_in_recovery(), to_regnamespace($1) IS NOT NULL, to_regclass($2) IS NOT NULL, to_regclass($3) IS NOT NULL,
			coalesce((SELECT relkind <> 'p' FROM pg_class WHERE oid = to_regclass($2)), false)`,
		pgx.Identifier{schema}.Sanitize(), pgx.Identifier{schema, "points"}.Sanitize(), pgx.Identifier{schema, "schema_versions"}.Sanitize()).
		Scan(&p.version, &p.encoding, &p.fsync, &p.readOnly, &p.schemaIsThere, &p.hasPoints, &p.hasVersions, &p.hypertable)
	switch {
	case err != nil:
		return err
	case p.version < oldestServer:
		return fmt.Errorf("the server has version %d.%d: it must be 14 or newer", p.version/10000, p.version%10000)
	case p.encoding != "UTF8":
		return fmt.Errorf("the database has the encoding %s, which cannot hold all texts: make one with ENCODING 'UTF8'", p.encoding)
	}
	return nil
}

// grace lets the server give up first, which keeps the connection.
const grace = 2 * time.Second

// within bounds one request.
func (s *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, s.timeout+grace, fmt.Errorf("the server has not answered within %v", s.timeout))
}

// broken reports whether the connection is of no use any more.
func (s *session) broken() bool { return s.conn.IsClosed() }

// dialWithin makes connections that a lifetime ends, also the one over which pgx
// tells a server to stop what it does for a request that was given up.
func dialWithin(lifetime context.Context, dial pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(lifetime, cancel)()
		conn, err := dial(ctx, network, address)
		if err == nil {
			context.AfterFunc(lifetime, func() { conn.Close() })
		}
		return conn, err
	}
}

// farewell bounds how long a server that may not listen any more is told to stop.
const farewell = time.Second

// close ends the connection, and waits for all that belongs to it.
func (s *session) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := s.conn.Close(ctx)
	select {
	case <-s.conn.PgConn().CleanupDone():
	case <-ctx.Done():
	}
	s.hang()
	<-s.conn.PgConn().CleanupDone()
	return err
}
