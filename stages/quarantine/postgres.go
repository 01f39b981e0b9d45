package quarantine

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/kraft-edge/datafeed/internal/pgurl"
)

// createPostgres makes the tables. The totals are kept by statement, so that
// many rows in one insert change them once.
const createPostgres = `
CREATE TABLE {items} (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	uuid       TEXT NOT NULL,
	created_at TEXT COLLATE "C" NOT NULL,
	feed       TEXT NOT NULL,
	route      TEXT NOT NULL,
	stage      TEXT NOT NULL,
	reason     TEXT NOT NULL,
	origin     TEXT NOT NULL,
	format     TEXT NOT NULL,
	properties TEXT NOT NULL,
	payload    BYTEA NOT NULL,
	bytes      BIGINT NOT NULL,
	replayed   BIGINT NOT NULL DEFAULT 0,
	exported   BIGINT NOT NULL DEFAULT 0
)
;
CREATE TABLE {audit} (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	feed       TEXT NOT NULL,
	action     TEXT NOT NULL,
	target     TEXT NOT NULL,
	selection  TEXT NOT NULL,
	started_at TEXT COLLATE "C" NOT NULL,
	ended_at   TEXT COLLATE "C" NOT NULL,
	messages   BIGINT NOT NULL,
	bytes      BIGINT NOT NULL
)
;
CREATE TABLE {totals} (
	feed     TEXT PRIMARY KEY,
	messages BIGINT NOT NULL,
	bytes    BIGINT NOT NULL,
	probes   BIGINT NOT NULL,
	version  BIGINT NOT NULL DEFAULT {version}
)
;
` + perFeedPostgres + `
;
CREATE TRIGGER "{table}_inserted" AFTER INSERT ON {items} REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "{table}_count"()
;
CREATE TRIGGER "{table}_deleted" AFTER DELETE ON {items} REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "{table}_count"()`

// perFeedPostgres makes what finds and counts the items of a feed.
const perFeedPostgres = `
CREATE INDEX "{table}_feed" ON {items} (feed, id)
;
CREATE INDEX "{table}_age" ON {items} (feed, created_at)
;
CREATE OR REPLACE FUNCTION "{table}_count"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		UPDATE {totals} SET messages = messages + c.n, bytes = {totals}.bytes + c.b FROM (SELECT count(*) AS n, sum(changed.bytes) AS b, changed.feed FROM changed GROUP BY changed.feed) c WHERE {totals}.feed = c.feed;
	ELSE
		UPDATE {totals} SET messages = messages - c.n, bytes = {totals}.bytes - c.b FROM (SELECT count(*) AS n, sum(changed.bytes) AS b, changed.feed FROM changed GROUP BY changed.feed) c WHERE {totals}.feed = c.feed;
	END IF;
	RETURN NULL;
END $$`

// upgradePostgres gives all items to the feed that opens the table. The columns
// get no default to stay: a process of the older version, which does not name
// its feed, cannot store any more.
const upgradePostgres = `
ALTER TABLE {items} ADD COLUMN feed TEXT NOT NULL DEFAULT {feed}
;
ALTER TABLE {items} ALTER COLUMN feed DROP DEFAULT
;
ALTER TABLE {audit} ADD COLUMN feed TEXT NOT NULL DEFAULT {feed}
;
ALTER TABLE {audit} ALTER COLUMN feed DROP DEFAULT
;
ALTER TABLE {totals} ADD COLUMN feed TEXT NOT NULL DEFAULT {feed}, DROP COLUMN one, ALTER COLUMN version SET DEFAULT {version}
;
ALTER TABLE {totals} ALTER COLUMN feed DROP DEFAULT, ADD PRIMARY KEY (feed)
;
UPDATE {totals} SET version = {version}
;
DROP INDEX "{table}_age"
;
` + perFeedPostgres

var postgresDialect = dialect{
	create:    createPostgres,
	upgrade:   upgradePostgres,
	parameter: func(n int) string { return "$" + strconv.Itoa(n) },
	lock:      " FOR UPDATE",
	contains:  "strpos",
	empty:     "''::bytea",
	encode:    encodeText,
	decode:    decodeText,
}

// base64Prefix begins a text that PostgreSQL cannot hold as it is.
const base64Prefix = "base64:"

// encodeText writes a text that is not UTF-8, holds a zero byte, or looks as if
// it had been encoded, in base64: PostgreSQL takes none of them as they are.
func encodeText(s string) string {
	if utf8.ValidString(s) && !strings.ContainsRune(s, 0) && !strings.HasPrefix(s, base64Prefix) {
		return s
	}
	return base64Prefix + base64.StdEncoding.EncodeToString([]byte(s))
}

func decodeText(s string) (string, error) {
	coded, ok := strings.CutPrefix(s, base64Prefix)
	if !ok {
		return s, nil
	}
	raw, err := base64.StdEncoding.DecodeString(coded)
	return string(raw), err
}

// postgresTable is a quarantine in a PostgreSQL database.
type postgresTable struct {
	at   Postgres
	feed string
}

func newPostgres(at Postgres, feedName string) *postgresTable { return &postgresTable{at, feedName} }

func (p *postgresTable) where() string           { return p.at.URL.String() + " table " + p.at.Table }
func (p *postgresTable) schema() schema          { return schema{p.at.Table, p.feed, postgresDialect} }
func (p *postgresTable) patience() time.Duration { return 30 * time.Second }

// connectTimeout bounds a connect when the URL names no connect_timeout.
const connectTimeout = 10 * time.Second

// config reads the URL, and with it the files that it names. TLS is the default,
// and not, as in libpq, a wish that an attacker can refuse.
func (p *postgresTable) config() (*pgx.ConnConfig, error) {
	text, err := p.at.URL.Reveal()
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	u, err := pgurl.WithTLS(text)
	if err != nil {
		return nil, fmt.Errorf("open quarantine: postgres.url: %s %w: write postgres://user:password@host:5432/database", p.at.URL, err)
	}
	c, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err) // it shows no password
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	return c, nil
}

func (p *postgresTable) open(ctx context.Context, m mode) (_ *connection, err error) {
	config, err := p.config()
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["standard_conforming_strings"] = "on" // literals are written so
	if m == modeRead {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	} else {
		// A message is settled when it stands here: the server's own setting
		// may promise less.
		config.RuntimeParams["synchronous_commit"] = "on"
	}
	if m == modeEdit {
		// The server ends a session whose client is gone without a word, and with it
		// the lock: after 25 s, not after the hours that are the default.
		config.RuntimeParams["tcp_keepalives_idle"] = "10"
		config.RuntimeParams["tcp_keepalives_interval"] = "5"
		config.RuntimeParams["tcp_keepalives_count"] = "3"
		config.RuntimeParams["tcp_user_timeout"] = "25000" // ms, while an answer is on its way
	}
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		fresh, err := p.config()
		if err != nil {
			return err
		}
		c.Password = fresh.Password // of a file that may have been replaced
		return nil
	}))
	db.SetMaxOpenConns(2)
	c := &connection{db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if m == modeWrite {
		return c, p.makeTables(ctx, db)
	}
	ctx, cancel := bounded(ctx, p)
	defer cancel()
	version, err := p.identify(ctx, db)
	switch {
	case err != nil:
		return nil, err
	case version == 0:
		return nil, fmt.Errorf("%w: %s does not exist yet: nothing was quarantined there, or the feed has never run", ErrForeign, p.where())
	case version != schemaVersion:
		return nil, otherVersion(p.where(), version)
	}
	if m == modeEdit {
		lock := &advisoryLock{table: p, db: db}
		c.lock = lock
		return c, lock.take(ctx)
	}
	return c, nil
}

// makeTables creates or upgrades the tables. Of several feeds that start at the
// same time one does, for as long as it takes: indexes of large tables.
func (p *postgresTable) makeTables(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return p.wrap("open quarantine", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, applicationID, lockKey(p.at.Table)); err != nil {
		return p.wrap("open quarantine", err)
	}
	version, err := p.identify(ctx, tx)
	if err != nil {
		return err
	}
	if err := p.schema().ensure(ctx, tx, version); err != nil {
		return p.wrap("create tables in", err)
	}
	if err := tx.Commit(); err != nil {
		return p.wrap("create tables in", err)
	}
	return nil
}

// lockKey makes the second half of the key of an advisory lock of a name.
func lockKey(name string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // never fails
	return int32(h.Sum32())
}

// identify returns the version of the tables, 0 when they are missing. Tables of
// somebody else are an error.
func (p *postgresTable) identify(ctx context.Context, db querier) (version int64, err error) {
	var items, all bool
	s := p.schema()
	err = db.QueryRowContext(ctx, s.sql(`SELECT to_regclass('{items}') IS NOT NULL, to_regclass('{totals}') IS NOT NULL AND to_regclass('{audit}') IS NOT NULL`)).Scan(&items, &all)
	switch {
	case err != nil:
		return 0, p.wrap("open quarantine", err)
	case !items && !all:
		return 0, nil
	case !items || !all:
		return 0, fmt.Errorf("%w: %s belongs to another application: choose another table", ErrForeign, p.where())
	}
	if err := db.QueryRowContext(ctx, s.sql(`SELECT max(version) FROM {totals}`)).Scan(&version); err != nil {
		return 0, p.wrap("open quarantine", err)
	}
	if version != schemaVersion && version != upgradable {
		return 0, otherVersion(p.where(), version)
	}
	return version, nil
}

// farewell is how long a server that does not answer any more is waited for when a
// lock is given back.
const farewell = 5 * time.Second

// advisoryLock is the lock that one editor of a feed has at a time. The database
// drops it when its connection ends, whatever ends it. The same connection
// therefore makes the editor's changes: none without the lock.
type advisoryLock struct {
	table  *postgresTable
	db     *sql.DB
	holder *sql.Conn // nil: lost
}

// take takes the lock on a connection of its own.
func (l *advisoryLock) take(ctx context.Context) error {
	holder, err := l.db.Conn(ctx)
	if err != nil {
		return l.table.wrap("lock", err)
	}
	var got bool
	err = holder.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1, $2)`, applicationID, l.key()).Scan(&got)
	switch {
	case err != nil:
		return errors.Join(l.table.wrap("lock", err), holder.Close())
	case !got:
		return errors.Join(fmt.Errorf("%w: a process has locked %s: %s; if the network has cut it off, its lock goes within half a minute", ErrInUse, l.table.where(), editRemedy), holder.Close())
	}
	l.holder = holder
	return nil
}

// BeginTx starts a transaction on the connection of the lock, after it has taken
// a lost one again; it learns here that it is lost. One transaction at a time.
func (l *advisoryLock) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if l.holder != nil {
		tx, err := l.begin(ctx, opts)
		if err == nil || ctx.Err() != nil {
			return tx, err
		}
	}
	if err := l.take(ctx); err != nil {
		return nil, fmt.Errorf("the lock was lost with its connection: %w", err)
	}
	return l.begin(ctx, opts)
}

// begin starts a transaction. When it fails the lock is lost.
func (l *advisoryLock) begin(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	tx, err := l.holder.BeginTx(ctx, opts)
	if err != nil {
		// To the pool it must not return: it may have the lock still.
		_ = l.holder.Raw(func(any) error { return driver.ErrBadConn }) // it returns just that
		l.holder = nil
	}
	return tx, err
}

// Close gives the lock back: the server ends a session some time after its client
// has gone, for which the next editor is not to wait. The pool is closed already, so
// that the connection, which is in use, ends here, and with it the lock in any case.
func (l *advisoryLock) Close() error {
	if l.holder == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	// Should it fail, the lock goes with the connection.
	_, _ = l.holder.ExecContext(ctx, `SELECT pg_advisory_unlock($1, $2)`, applicationID, l.key())
	if err := l.holder.Close(); !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

func (l *advisoryLock) key() int32 { return lockKey(l.table.at.Table + " edit " + l.table.feed) }

func (p *postgresTable) wrap(doing string, err error) error {
	return fmt.Errorf("%s %s: %w", doing, p.where(), pgurl.Explain(err))
}
