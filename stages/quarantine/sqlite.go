package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/kraft-edge/datafeed/internal/filelock"
	"github.com/kraft-edge/datafeed/internal/sqlitefile"
)

const (
	// sqliteTable is the table of items in a file.
	sqliteTable = "quarantine"
	// applicationID marks a SQLite file as a quarantine: "feed" in ASCII.
	applicationID = 0x66656564
	// checkedBytes is the size up to which a file is checked for damage whenever
	// it is opened for writing: that takes well under a second.
	checkedBytes = 64 << 20
)

// createSQLite makes the tables. Ids are never used again.
const createSQLite = `
CREATE TABLE {items} (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	uuid       TEXT NOT NULL,
	created_at TEXT NOT NULL,
	feed       TEXT NOT NULL,
	route      TEXT NOT NULL,
	stage      TEXT NOT NULL,
	reason     TEXT NOT NULL,
	origin     TEXT NOT NULL,
	format     TEXT NOT NULL,
	properties TEXT NOT NULL,
	payload    BLOB NOT NULL,
	bytes      INTEGER NOT NULL,
	replayed   INTEGER NOT NULL DEFAULT 0,
	exported   INTEGER NOT NULL DEFAULT 0
)
;
CREATE TABLE {audit} (
	id         INTEGER PRIMARY KEY AUTOINCREMENT,
	feed       TEXT NOT NULL,
	action     TEXT NOT NULL,
	target     TEXT NOT NULL,
	selection  TEXT NOT NULL,
	started_at TEXT NOT NULL,
	ended_at   TEXT NOT NULL,
	messages   INTEGER NOT NULL,
	bytes      INTEGER NOT NULL
)
;
PRAGMA application_id = 1717921124
;
` + perFeedSQLite

// perFeedSQLite makes what finds and counts the items of a feed. The index on
// the feed has the id, as all indexes have.
const perFeedSQLite = `
CREATE INDEX "{table}_feed" ON {items} (feed)
;
CREATE INDEX "{table}_age" ON {items} (feed, created_at)
;
CREATE TABLE {totals} (feed TEXT PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL, probes INTEGER NOT NULL)
;
CREATE TRIGGER "{table}_inserted" AFTER INSERT ON {items} BEGIN
	UPDATE {totals} SET messages = messages + 1, bytes = bytes + new.bytes WHERE feed = new.feed;
END
;
CREATE TRIGGER "{table}_deleted" AFTER DELETE ON {items} BEGIN
	UPDATE {totals} SET messages = messages - 1, bytes = bytes - old.bytes WHERE feed = old.feed;
END
;
PRAGMA user_version = {version}`

// upgradeSQLite gives all items to the feed that opens the file. The default of
// the columns has no effect after that: every insert names its feed.
const upgradeSQLite = `
ALTER TABLE {items} ADD COLUMN feed TEXT NOT NULL DEFAULT {feed}
;
ALTER TABLE {audit} ADD COLUMN feed TEXT NOT NULL DEFAULT {feed}
;
DROP INDEX "{table}_age"
;
DROP TRIGGER "{table}_inserted"
;
DROP TRIGGER "{table}_deleted"
;
ALTER TABLE {totals} RENAME TO "{table}_totals_before"
;
` + perFeedSQLite + `
;
INSERT INTO {totals} SELECT {feed}, messages, bytes, probes FROM "{table}_totals_before"
;
DROP TABLE "{table}_totals_before"`

// sqliteDialect keeps texts as they are: SQLite takes any bytes.
var sqliteDialect = dialect{
	create:    createSQLite,
	upgrade:   upgradeSQLite,
	parameter: func(int) string { return "?" },
	contains:  "instr",
	empty:     "x''",
	encode:    func(s string) string { return s },
	decode:    func(s string) (string, error) { return s, nil },
}

// sqliteFile is a quarantine in a SQLite file.
type sqliteFile struct{ path, feed string }

func newSQLite(path, feedName string) (*sqliteFile, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	return &sqliteFile{abs, feedName}, nil
}

func (f *sqliteFile) where() string           { return f.path }
func (f *sqliteFile) schema() schema          { return schema{sqliteTable, f.feed, sqliteDialect} }
func (f *sqliteFile) patience() time.Duration { return 0 } // a local disk answers or fails

// The lock files beside the database, and what to do when one is taken.
const (
	feedLock   = ".lock"
	feedRemedy = "stop it, or give each feed a path of its own"
	editLock   = ".edit.lock"
	editRemedy = "it replays, exports or removes messages: wait for it or stop it"
)

func (f *sqliteFile) open(ctx context.Context, m mode) (_ *connection, err error) {
	if m == modeWrite {
		if err = sqlitefile.Create(f.path); err != nil {
			err = fmt.Errorf("%w (change quarantine.path, or let the user who runs the feed write there)", err)
		}
	} else {
		_, err = os.Stat(f.path)
	}
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	access, connections := "rw", 1
	if m == modeRead {
		access, connections = "ro", 2
	}
	db, err := sql.Open("sqlite", dsn(f.path, access))
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	db.SetMaxOpenConns(connections)
	c := &connection{db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	switch m {
	case modeWrite:
		c.lock, err = lock(f.path+feedLock, feedRemedy)
	case modeEdit:
		c.lock, err = lock(f.path+editLock, editRemedy)
	}
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	return c, f.prepare(ctx, db, m)
}

// prepare makes sure that the file is a quarantine; a writer makes one of an
// empty file, and carries an older one over.
func (f *sqliteFile) prepare(ctx context.Context, db *sql.DB, m mode) error {
	version, err := f.identify(ctx, db)
	switch {
	case err != nil:
		return err
	case m != modeWrite && version == 0:
		return fmt.Errorf("%w: %s is empty", ErrForeign, f.path)
	case m != modeWrite && version != schemaVersion:
		return otherVersion(f.path, version)
	case m != modeWrite:
		return nil
	case version != 0:
		if err := f.quickCheck(ctx, db); err != nil {
			return err
		}
	}
	if err := f.makeTables(ctx, db, version); err != nil {
		return err
	}
	if err := sqlitefile.UseWAL(ctx, db); err != nil {
		return f.wrap("open", err)
	}
	return nil
}

// dsn names the database to the driver. The pragmas hold for the connection and
// change nothing in the file.
func dsn(path, mode string) string {
	q := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "synchronous(FULL)", "journal_size_limit(67108864)"},
	}
	return sqlitefile.DSN(path, q)
}

// identify returns the version of a quarantine, 0 of an empty database. Anything
// else is an error, and has not been changed.
func (f *sqliteFile) identify(ctx context.Context, db *sql.DB) (version int64, err error) {
	version, err = sqlitefile.Version(ctx, db, applicationID)
	switch {
	case errors.Is(err, sqlitefile.ErrForeign):
		return 0, fmt.Errorf("%w: %s: %w", ErrForeign, f.path, err)
	case err != nil:
		return 0, f.wrap("open", err)
	case version != 0 && version != schemaVersion && version != upgradable:
		return 0, otherVersion(f.path, version)
	}
	return version, nil
}

// makeTables creates or upgrades the tables, all or none.
func (f *sqliteFile) makeTables(ctx context.Context, db *sql.DB, version int64) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return f.wrap("create tables in", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if err := f.schema().ensure(ctx, tx, version); err != nil {
		return f.wrap("create tables in", err)
	}
	if err := tx.Commit(); err != nil {
		return f.wrap("create tables in", err)
	}
	return nil
}

// quickCheck looks for damage in files of modest size.
func (f *sqliteFile) quickCheck(ctx context.Context, db *sql.DB) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if info.Size() > checkedBytes {
		return nil
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return f.wrap("check", err)
	}
	if verdict != "ok" {
		return f.corrupt(verdict)
	}
	return nil
}

// wrap says what was being done with the file, and marks damage.
func (f *sqliteFile) wrap(doing string, err error) error {
	var se *sqlite.Error
	if errors.As(err, &se) {
		switch se.Code() & 0xff { // the rest is detail
		case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
			return f.corrupt(err.Error())
		}
	}
	return fmt.Errorf("%s %s: %w", doing, f.path, err)
}

func (f *sqliteFile) corrupt(detail string) error {
	return fmt.Errorf("%w: %s: %s: move the file away with its -wal and -shm files, keep them to recover the messages (sqlite3 FILE .recover), and start again", ErrCorrupt, f.path, detail)
}

// lock takes a lock that ends with its process. Its file is not the database
// itself, because closing any descriptor of that would drop SQLite's own locks.
func lock(path, remedy string) (io.Closer, error) {
	l, err := filelock.Take(path)
	if errors.Is(err, filelock.ErrTaken) {
		err = fmt.Errorf("%w: %w: %s", ErrInUse, err, remedy)
	}
	return l, err
}
