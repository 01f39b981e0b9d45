package cloudapi

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/internal/sqlitefile"
)

// store is the truth, in a SQLite file, and what is lied about. Its methods are
// safe for concurrent use.
type store struct {
	path    string
	now     func() time.Time
	lateBy  time.Duration // taken off the watermark
	devices int           // that must be there
	writer  *sql.DB       // one connection
	reader  *sql.DB
	key     []byte // of the sealer
	held    atomic.Int64

	writing sync.Mutex // who writes
	chooser chooser    // of writing

	telling sync.RWMutex // held while readings are told, and while lies change
	lies    map[key]lie
	faults  Faults
	stalled *int64 // the watermark when it was stopped; nil: there was none
}

const (
	// applicationID marks a SQLite file as one of these: "fapi" in ASCII.
	applicationID = 0x66617069
	schemaVersion = 1
	// readers is how many pages are read at the same time.
	readers = 4
)

// The order of the primary key is the order of pages; seq stands in it as
// orderedSeq has it. A reading stands there as the JSON of package reading, which
// is exact.
const createTables = `
CREATE TABLE readings (
	ts     INTEGER NOT NULL,
	device TEXT NOT NULL,
	tag    TEXT NOT NULL,
	seq    INTEGER NOT NULL,
	json   BLOB NOT NULL,
	PRIMARY KEY (ts, device, tag, seq)
) WITHOUT ROWID;
CREATE INDEX readings_device ON readings (device, ts, tag, seq);
CREATE TABLE batches (
	device   TEXT NOT NULL,
	sequence INTEGER NOT NULL,
	last     INTEGER NOT NULL,
	checksum BLOB NOT NULL,
	PRIMARY KEY (device, sequence)
) WITHOUT ROWID;
CREATE TABLE devices (
	device    TEXT NOT NULL PRIMARY KEY,
	readings  INTEGER NOT NULL,
	batches   INTEGER NOT NULL,
	first     INTEGER NOT NULL,
	last      INTEGER NOT NULL,
	sequence  INTEGER NOT NULL,
	watermark INTEGER
) WITHOUT ROWID;
CREATE TABLE lies (
	ts     INTEGER NOT NULL,
	device TEXT NOT NULL,
	tag    TEXT NOT NULL,
	seq    INTEGER NOT NULL,
	kind   TEXT NOT NULL,
	truth  BLOB NOT NULL,
	told   BLOB,
	until  INTEGER,
	PRIMARY KEY (ts, device, tag, seq)
) WITHOUT ROWID;
CREATE TABLE settings (key BLOB NOT NULL, faults BLOB NOT NULL, stalled INTEGER);
`

// openStore opens a file, or makes it. The caller closes the store.
func openStore(ctx context.Context, path string, o Options) (_ *store, err error) {
	s := &store{path: path, now: o.Now, lateBy: o.AllowedLateness, devices: o.Devices}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open %s: %w", path, err), s.close())
		}
	}()
	if err := sqlitefile.Create(path); err != nil {
		return nil, err
	}
	if s.writer, err = sql.Open("sqlite", writeDSN(path)); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	if s.reader, err = sql.Open("sqlite", readDSN(path)); err != nil {
		return nil, err
	}
	s.reader.SetMaxOpenConns(readers)
	s.reader.SetMaxIdleConns(readers)
	return s, s.load(ctx)
}

// readDSN names the database to the driver for reading.
func readDSN(path string) string { return sqlitefile.DSN(path, url.Values{"mode": {"ro"}}) }

// writeDSN names it for writing. A commit is on disk when it is done.
func writeDSN(path string) string {
	return sqlitefile.DSN(path, url.Values{
		"mode":    {"rw"},
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(5000)", "synchronous(FULL)", "journal_size_limit(67108864)", "wal_autocheckpoint(8000)", "cache_size(-16384)"},
	})
}

// prepare makes the tables of an empty file, and changes no other's.
func (s *store) prepare(ctx context.Context) error {
	version, err := sqlitefile.Version(ctx, s.writer, applicationID)
	switch {
	case err != nil || version == schemaVersion:
		return err
	case version != 0:
		return fmt.Errorf("it was made by another version of feed (%d, this one knows %d): choose another path", version, schemaVersion)
	}
	if err := sqlitefile.UseWAL(ctx, s.writer); err != nil {
		return err
	}
	none, err := json.Marshal(Faults{}.orDefaults())
	if err != nil {
		return err
	}
	secret := make([]byte, keySize)
	_, _ = rand.Read(secret) // it never fails
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, createTables+fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, schemaVersion)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO settings VALUES (?, ?, NULL)`, secret, none)
		return err
	})
}

// write runs do in a transaction.
func (s *store) write(ctx context.Context, do func(*sql.Tx) error) error {
	return s.writeAnd(ctx, do, (*sql.Tx).Commit)
}

// writeAnd runs do in a transaction, and then commit, which commits it.
func (s *store) writeAnd(ctx context.Context, do, commit func(*sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing; before it the first error counts
	if err := do(tx); err != nil {
		return err
	}
	return commit(tx)
}

// load reads what is kept in memory.
func (s *store) load(ctx context.Context) error {
	var faults []byte
	var stalled sql.NullInt64
	if err := s.writer.QueryRowContext(ctx, `SELECT key, faults, stalled FROM settings`).Scan(&s.key, &faults, &stalled); err != nil {
		return err
	}
	if err := json.Unmarshal(faults, &s.faults); err != nil {
		return err
	}
	if stalled.Valid {
		s.stalled = &stalled.Int64
	}
	var held int64
	if err := s.writer.QueryRowContext(ctx, `SELECT coalesce(sum(readings), 0) FROM devices`).Scan(&held); err != nil {
		return err
	}
	s.held.Store(held)
	var err error
	if s.lies, err = loadLies(ctx, s.writer); err != nil {
		return err
	}
	s.chooser = newChooser(s.faults, s.lies)
	return nil
}

// close waits for what is under way. Idempotent.
func (s *store) close() error {
	var errs []error
	for _, db := range []*sql.DB{s.reader, s.writer} { // the last one to close folds the log into the file
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}
