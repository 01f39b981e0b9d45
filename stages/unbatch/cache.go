package unbatch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/kraft-edge/datafeed/internal/sqlitefile"
)

// cache is a store in a SQLite file, which is opened when it is used first.
type cache struct {
	config Cache
	now    func() time.Time // nil: the clock's

	db   *sql.DB
	find *sql.Stmt
}

const (
	// applicationID marks a SQLite file as a cache of batches: "fbat" in ASCII.
	applicationID = 0x66626174
	schemaVersion = 1
	pageBytes     = 4096 // SQLite's default
	// marksAtOnce bounds the marks of one transaction.
	marksAtOnce = 500
)

// schema has the marks in the order in which they were made, so that the oldest
// are found.
const schema = `
CREATE TABLE batches (
	id       INTEGER PRIMARY KEY,
	device   TEXT NOT NULL,
	sequence INTEGER NOT NULL, -- as a signed number of 64 bits
	checksum BLOB NOT NULL,
	marked   INTEGER NOT NULL  -- in seconds since 1970
);
CREATE UNIQUE INDEX batches_name ON batches (device, sequence);
PRAGMA application_id = 1717723508;
PRAGMA user_version = 1`

func (c *cache) lookup(n name) (sum checksum, known bool, err error) {
	if err := c.open(); err != nil {
		return sum, false, err
	}
	var stored []byte
	err = c.find.QueryRow(n.device, int64(n.sequence), c.oldest()).Scan(&stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return sum, false, nil
	case err != nil:
		return sum, false, c.wrap("read", err)
	case len(stored) != len(sum):
		return sum, false, c.wrap("read", fmt.Errorf("a checksum has %d bytes", len(stored)))
	}
	return checksum(stored), true, nil
}

// oldest returns the time before which marks no longer count.
func (c *cache) oldest() int64 {
	if c.config.MaxAge == 0 {
		return 0
	}
	return c.clock().Add(-c.config.MaxAge).Unix()
}

func (c *cache) clock() time.Time {
	if c.now != nil {
		return c.now()
	}
	return time.Now()
}

func (c *cache) write(marks []mark) error {
	if err := c.open(); err != nil {
		return err
	}
	// Marks of earlier calls may be written again: that changes nothing.
	for some := range slices.Chunk(marks, marksAtOnce) {
		if err := c.writeSome(some); err != nil {
			return c.wrap("write", err)
		}
	}
	return nil
}

func (c *cache) writeSome(marks []mark) error {
	tx, err := c.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if err := c.forget(tx, len(marks)); err != nil {
		return err
	}
	now := c.clock().Unix()
	for i := range marks {
		m := &marks[i]
		// Replacing makes it the newest.
		if _, err := tx.Exec(`INSERT OR REPLACE INTO batches (device, sequence, checksum, marked) VALUES (?, ?, ?, ?)`,
			m.device, int64(m.sequence), m.checksum[:], now); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// forget removes old marks before n new ones are written: more than that many, so
// that the file becomes smaller when it must, and few, so that it takes no time.
func (c *cache) forget(tx *sql.Tx, n int) error {
	some := 2*n + 16
	if c.config.MaxAge > 0 {
		if _, err := tx.Exec(`DELETE FROM batches WHERE id IN (SELECT id FROM (SELECT id, marked FROM batches ORDER BY id LIMIT ?) WHERE marked < ?)`, some, c.oldest()); err != nil {
			return err
		}
	}
	var pages, free int64
	if err := tx.QueryRow(`SELECT (SELECT * FROM pragma_page_count), (SELECT * FROM pragma_freelist_count)`).Scan(&pages, &free); err != nil {
		return err
	}
	if most := int64(c.config.MaxBytes / pageBytes); pages-free <= most-most/8 {
		return nil
	}
	_, err := tx.Exec(`DELETE FROM batches WHERE id IN (SELECT id FROM batches ORDER BY id LIMIT ?)`, some)
	return err
}

func (c *cache) close() error {
	if c.db == nil {
		return nil
	}
	db, find := c.db, c.find
	c.db, c.find = nil, nil
	if err := errors.Join(find.Close(), db.Close()); err != nil {
		return c.wrap("close", err)
	}
	return nil
}

// open opens the file, unless it is open.
func (c *cache) open() error {
	if c.db != nil {
		return nil
	}
	if err := sqlitefile.Create(c.config.Path); err != nil {
		return fmt.Errorf("open cache of batches: %w", err)
	}
	db, err := sql.Open("sqlite", c.dsn())
	if err != nil {
		return c.wrap("open", err)
	}
	db.SetMaxOpenConns(1)
	find, err := prepare(db)
	if err != nil {
		return c.wrap("open", errors.Join(err, db.Close()))
	}
	c.db, c.find = db, find
	return nil
}

// dsn names the file to the driver. A power loss may take the last marks: that is
// no harm, and spares waiting for the disk. max_page_count bounds the file
// whatever happens.
func (c *cache) dsn() string {
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "synchronous(NORMAL)", "journal_size_limit(4194304)",
			fmt.Sprintf("max_page_count(%d)", c.config.MaxBytes/pageBytes)},
	}
	path, err := filepath.Abs(c.config.Path)
	if err != nil {
		path = c.config.Path
	}
	return sqlitefile.DSN(path, q)
}

// prepare makes sure that the file is a cache of batches, makes one of an empty
// file, and returns the statement that finds a mark.
func prepare(db *sql.DB) (*sql.Stmt, error) {
	ctx := context.Background() // it is a local disk
	version, err := sqlitefile.Version(ctx, db, applicationID)
	switch {
	case err != nil:
		return nil, err
	case version == 0:
		if err := create(db); err != nil {
			return nil, err
		}
	case version != schemaVersion:
		return nil, fmt.Errorf("it was made by another version of feed (%d, this one knows %d): remove it, or choose another path", version, schemaVersion)
	}
	if err := sqlitefile.UseWAL(ctx, db); err != nil { // only now: it changes the file
		return nil, err
	}
	return db.Prepare(`SELECT checksum FROM batches WHERE device = ? AND sequence = ? AND marked >= ?`)
}

func create(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	return tx.Commit()
}

func (c *cache) wrap(doing string, err error) error {
	if errors.Is(err, sqlitefile.ErrForeign) {
		return fmt.Errorf("%s cache of batches %s: %w", doing, c.config.Path, err)
	}
	return fmt.Errorf("%s cache of batches %s: %w (it holds no messages: when it is damaged, it may be removed)", doing, c.config.Path, err)
}
