package quarantine

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// checkedBytes is the size up to which a file is checked for damage whenever it
// is opened for writing: that takes well under a second.
const checkedBytes = 64 << 20

// dsn names the database to the driver. The pragmas hold for the connection and
// change nothing in the file.
func dsn(path, mode string) string {
	q := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "synchronous(FULL)", "journal_size_limit(67108864)"},
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: q.Encode()}).String()
}

// createFile makes the database's file, readable by its owner only, and its
// directory, unless they are there. SQLite gives its other files the same mode.
func createFile(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if os.IsExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(dir) // so that a power loss does not take the name away
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// state is what a database file turned out to be.
type state uint8

const (
	stateOurs state = iota
	stateEmpty
)

// identify tells whether the database is ours or empty. Anything else is an
// error, and has not been changed.
func identify(ctx context.Context, db *sql.DB, path string) (state, error) {
	var app, version, tables int64
	err := db.QueryRowContext(ctx, `SELECT (SELECT * FROM pragma_application_id), (SELECT * FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).
		Scan(&app, &version, &tables)
	switch {
	case err != nil:
		return 0, wrap("open", path, err)
	case app == applicationID && version == schemaVersion:
		return stateOurs, nil
	case app == applicationID:
		return 0, fmt.Errorf("%w of this version: %s has version %d, and this program knows version %d: use the program that wrote it", ErrForeign, path, version, schemaVersion)
	case app == 0 && version == 0 && tables == 0:
		return stateEmpty, nil
	}
	return 0, fmt.Errorf("%w: %s is a SQLite database of another application (application_id %d, %d tables or indexes): choose another path", ErrForeign, path, app, tables)
}

// initialize creates the tables, all or none.
func initialize(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	for _, q := range (schema{}).SchemaInitializingQueries(table) {
		if _, err := tx.ExecContext(ctx, q.Query, q.Args...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// quickCheck looks for damage in files of modest size.
func quickCheck(ctx context.Context, db *sql.DB, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > checkedBytes {
		return nil
	}
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&verdict); err != nil {
		return wrap("check", path, err)
	}
	if verdict != "ok" {
		return corrupt(path, verdict)
	}
	return nil
}

// useWAL turns on the write-ahead log, which the file remembers.
func useWAL(ctx context.Context, db *sql.DB, path string) error {
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return wrap("open", path, err)
	}
	if mode != "wal" {
		return fmt.Errorf("open %s: the file system allows journal mode %q only, not wal: choose a path on a local disk", path, mode)
	}
	return nil
}
