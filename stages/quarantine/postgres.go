package quarantine

import (
	"context"
	"database/sql"
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
)

// createPostgres makes the tables. The totals are kept by statement, so that
// many rows in one insert change them once.
const createPostgres = `
CREATE TABLE {items} (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	uuid       TEXT NOT NULL,
	created_at TEXT COLLATE "C" NOT NULL,
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
CREATE INDEX "{table}_age" ON {items} (created_at)
;
CREATE TABLE {audit} (
	id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
	one      BOOLEAN PRIMARY KEY DEFAULT true CHECK (one),
	messages BIGINT NOT NULL,
	bytes    BIGINT NOT NULL,
	probes   BIGINT NOT NULL,
	version  BIGINT NOT NULL
)
;
INSERT INTO {totals} (messages, bytes, probes, version) VALUES (0, 0, 0, {version})
;
CREATE FUNCTION "{table}_count"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		UPDATE {totals} SET messages = messages + c.n, bytes = {totals}.bytes + c.b FROM (SELECT count(*) AS n, coalesce(sum(changed.bytes), 0) AS b FROM changed) c;
	ELSE
		UPDATE {totals} SET messages = messages - c.n, bytes = {totals}.bytes - c.b FROM (SELECT count(*) AS n, coalesce(sum(changed.bytes), 0) AS b FROM changed) c;
	END IF;
	RETURN NULL;
END $$
;
CREATE TRIGGER "{table}_inserted" AFTER INSERT ON {items} REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "{table}_count"()
;
CREATE TRIGGER "{table}_deleted" AFTER DELETE ON {items} REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION "{table}_count"()`

var postgresDialect = dialect{
	create:    createPostgres,
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
type postgresTable struct{ at Postgres }

func newPostgres(at Postgres) *postgresTable { return &postgresTable{at} }

func (p *postgresTable) where() string           { return p.at.URL.String() + " table " + p.at.Table }
func (p *postgresTable) schema() schema          { return schema{p.at.Table, postgresDialect} }
func (p *postgresTable) patience() time.Duration { return 30 * time.Second }

// connectTimeout bounds a connect when the URL names no connect_timeout.
const connectTimeout = 10 * time.Second

// config reads the URL, and with it the files that it names.
func (p *postgresTable) config() (*pgx.ConnConfig, error) {
	text, err := p.at.URL.Reveal()
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	c, err := pgx.ParseConfig(text)
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
	if m == modeRead {
		config.RuntimeParams["default_transaction_read_only"] = "on"
	} else {
		// A message is settled when it stands here: the server's own setting
		// may promise less.
		config.RuntimeParams["synchronous_commit"] = "on"
	}
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) error {
		fresh, err := p.config()
		if err != nil {
			return err
		}
		c.Password = fresh.Password // of a file that may have been replaced
		return nil
	}))
	db.SetMaxOpenConns(2) // one of an editor holds its lock
	c := &connection{db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	ctx, cancel := bounded(ctx, p)
	defer cancel()
	if m == modeWrite {
		return c, p.create(ctx, db)
	}
	empty, err := p.identify(ctx, db)
	if err != nil {
		return nil, err
	}
	if empty {
		return nil, fmt.Errorf("%w: %s does not exist yet: nothing was quarantined there, or the feed has never run", ErrForeign, p.where())
	}
	if m == modeEdit {
		return c, p.lockEditor(ctx, c)
	}
	return c, nil
}

// create makes the tables unless they are there. Of several feeds that start at
// the same time one makes them.
func (p *postgresTable) create(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return p.wrap("open quarantine", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1, $2)`, applicationID, lockKey(p.at.Table)); err != nil {
		return p.wrap("open quarantine", err)
	}
	empty, err := p.identify(ctx, tx)
	if err != nil || !empty {
		return err
	}
	if err := createTables(ctx, p.schema(), tx); err != nil {
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

// identify tells whether the tables are missing; if not, they are ours.
func (p *postgresTable) identify(ctx context.Context, db querier) (empty bool, err error) {
	var items, all bool
	s := p.schema()
	err = db.QueryRowContext(ctx, s.sql(`SELECT to_regclass('{items}') IS NOT NULL, to_regclass('{totals}') IS NOT NULL AND to_regclass('{audit}') IS NOT NULL`)).Scan(&items, &all)
	switch {
	case err != nil:
		return false, p.wrap("open quarantine", err)
	case !items && !all:
		return true, nil
	case !items || !all:
		return false, fmt.Errorf("%w: %s belongs to another application: choose another table", ErrForeign, p.where())
	}
	var version int64
	if err := db.QueryRowContext(ctx, s.sql(`SELECT version FROM {totals}`)).Scan(&version); err != nil {
		return false, p.wrap("open quarantine", err)
	}
	if version != schemaVersion {
		return false, otherVersion(p.where(), version)
	}
	return false, nil
}

// lockEditor takes the lock that one editor has at a time. The database drops it
// when the connection ends.
func (p *postgresTable) lockEditor(ctx context.Context, c *connection) error {
	holder, err := c.db.Conn(ctx)
	if err != nil {
		return p.wrap("lock", err)
	}
	var got bool
	err = holder.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1, $2)`, applicationID, lockKey(p.at.Table+" edit")).Scan(&got)
	switch {
	case err != nil:
		return errors.Join(p.wrap("lock", err), holder.Close())
	case !got:
		return errors.Join(fmt.Errorf("%w: a process has locked %s: %s", ErrInUse, p.where(), editRemedy), holder.Close())
	}
	c.lock = &advisoryLock{holder}
	return nil
}

// advisoryLock ends with its connection, which the pool closes with the rest.
type advisoryLock struct{ holder *sql.Conn }

func (l *advisoryLock) Close() error {
	if err := l.holder.Close(); !errors.Is(err, sql.ErrConnDone) {
		return err
	}
	return nil
}

func (p *postgresTable) wrap(doing string, err error) error {
	return fmt.Errorf("%s %s: %w", doing, p.where(), err)
}
