// Package sqlitefile is what the SQLite files of this project have in common: how
// they are made and named to the driver, whose they are, and that they have a
// write-ahead log. Each kind of file has an application_id of its own, and a user_version of at
// least 1, so that none of them is taken for another.
package sqlitefile

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// ErrForeign says that a database is of another application.
var ErrForeign = errors.New("it is a SQLite database of another application")

// Create makes an empty file that its owner only can read, and its directory,
// unless they are there. SQLite gives its other files the same mode.
func Create(path string) error {
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
	return errors.Join(f.Close(), wholefile.SyncDir(dir))
}

// DSN names a file, by its absolute path, and settings of the connection to the
// driver.
func DSN(path string, settings url.Values) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: settings.Encode()}).String()
}

// Version returns the user_version of a database with the given application_id, and
// 0 of an empty one. It changes nothing. Another application's is an [ErrForeign].
func Version(ctx context.Context, db *sql.DB, applicationID int64) (int64, error) {
	var app, version, tables int64
	err := db.QueryRowContext(ctx, `SELECT (SELECT * FROM pragma_application_id), (SELECT * FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).
		Scan(&app, &version, &tables)
	switch {
	case err != nil:
		return 0, err
	case app == applicationID && version > 0, app == 0 && version == 0 && tables == 0:
		return version, nil
	}
	return 0, fmt.Errorf("%w (application_id %d, %d tables or indexes): choose another path", ErrForeign, app, tables)
}

// UseWAL turns on the write-ahead log, which the file remembers. A file system that
// does not allow it is an error.
func UseWAL(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file system allows journal mode %q only, not wal: choose a path on a local disk", mode)
	}
	return nil
}
