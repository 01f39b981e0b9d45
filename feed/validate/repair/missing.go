package repair

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/sqlitefile"
)

// Fate is what became of a missing reading.
type Fate string

// The fates.
const (
	// Nowhere: no place had it so far.
	Nowhere Fate = "nowhere"
	// Sent: the sink has it, durably.
	Sent Fate = "sent"
	// Refused: a place had it, and the route quarantined it.
	Refused Fate = "refused"
)

// Entry is a missing reading.
type Entry struct {
	validate.Known
	Fate  Fate
	Place string // that had it
}

// Missing are the readings that a validation misses, in a file: there may be more
// than memory holds. Safe for concurrent use.
type Missing struct {
	file   string
	keep   bool
	db     *sql.DB
	find   *sql.Stmt
	update *sql.Stmt
	mu     sync.Mutex
	adding *sql.Tx
	insert *sql.Stmt
	added  int
	left   int64 // that were not sent
	first  int64 // times
	last   int64
}

// applicationID is "dfmi": a file of missing readings. formatVersion changes with what
// it means.
const (
	applicationID = 0x64666d69
	formatVersion = 2
)

const missingSchema = `
CREATE TABLE IF NOT EXISTS missing (
	device TEXT NOT NULL, tag TEXT NOT NULL, time INTEGER NOT NULL, seq INTEGER NOT NULL,
	fate TEXT NOT NULL, place TEXT NOT NULL, number INTEGER NOT NULL,
	PRIMARY KEY (device, tag, time, seq)
) WITHOUT ROWID`

// OpenMissing opens the file at path, with what it has, or makes it; "" is a file
// for the time being. The caller closes it.
func OpenMissing(ctx context.Context, path string) (_ *Missing, err error) {
	m := &Missing{file: path, keep: path != ""}
	if !m.keep {
		f, err := os.CreateTemp("", "feed-missing-*.db")
		if err != nil {
			return nil, fmt.Errorf("a file for what is missing: %w", err)
		}
		m.file = f.Name()
		if err := f.Close(); err != nil {
			return nil, errors.Join(err, m.remove())
		}
	} else if m.file, err = filepath.Abs(path); err != nil {
		return nil, err
	} else if err := sqlitefile.Create(m.file); err != nil {
		return nil, fmt.Errorf("a file for what is missing: %w", err)
	}
	if err := m.open(ctx); err != nil {
		return nil, fmt.Errorf("%s, a file for what is missing: %w", m.file, errors.Join(err, m.Close()))
	}
	return m, nil
}

func (m *Missing) open(ctx context.Context) (err error) {
	if m.db, err = sql.Open("sqlite", sqlitefile.DSN(m.file, url.Values{"_pragma": {"busy_timeout(5000)", "synchronous(full)"}})); err != nil {
		return err
	}
	m.db.SetMaxOpenConns(1) // one at a time, and all see the same
	version, err := sqlitefile.Version(ctx, m.db, applicationID)
	switch {
	case err != nil:
		return err
	case version != 0 && version != formatVersion:
		return fmt.Errorf("it is of another version of feed (format %d, this one knows %d): remove it, and the state beside it, to begin anew", version, formatVersion)
	}
	if err := sqlitefile.UseWAL(ctx, m.db); err != nil {
		return err
	}
	if version == 0 {
		if _, err := m.db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d; %s", applicationID, formatVersion, missingSchema)); err != nil {
			return err
		}
	}
	if m.find, err = m.db.PrepareContext(ctx, `SELECT fate, place FROM missing WHERE device = ? AND tag = ? AND time = ? AND seq = ?`); err != nil {
		return err
	}
	m.update, err = m.db.PrepareContext(ctx, `UPDATE missing SET fate = ?, place = ? WHERE device = ? AND tag = ? AND time = ? AND seq = ? AND fate <> 'sent'`)
	return err
}

// addedAtOnce bounds a transaction.
const addedAtOnce = 10_000

// Add notes a missing reading, which is the discrepancy of a number, counted from 1 on
// and never downward. One that is known stays as it was. It is durable when Keep has
// returned, and is kept by Close, too.
func (m *Missing) Add(ctx context.Context, k validate.Known, number int64) (err error) {
	ctx = context.WithoutCancel(ctx) // its end would take back what was added before
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.adding == nil {
		if err := m.begin(ctx); err != nil {
			return fmt.Errorf("noting what is missing: %w", err)
		}
	}
	if _, err := m.insert.ExecContext(ctx, k.Device, k.Tag, k.Time, int64(k.Seq), Nowhere, number); err != nil {
		return fmt.Errorf("noting what is missing: %w", err)
	}
	if m.added++; m.added < addedAtOnce {
		return nil
	}
	return m.commit()
}

// begin begins a transaction. The caller holds mu.
func (m *Missing) begin(ctx context.Context) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO missing VALUES (?, ?, ?, ?, ?, '', ?) ON CONFLICT DO NOTHING`)
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	m.adding, m.insert = tx, insert
	return nil
}

// commit keeps what was added. The caller holds mu.
func (m *Missing) commit() error {
	if m.adding == nil {
		return nil
	}
	tx := m.adding
	m.adding, m.added = nil, 0
	if err := errors.Join(m.insert.Close(), tx.Commit()); err != nil {
		return fmt.Errorf("noting what is missing: %w", err)
	}
	return nil
}

// Keep makes durable what was added.
func (m *Missing) Keep() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.commit()
}

// Cut forgets the discrepancies behind a number: a comparison that goes on finds them
// again, or something else by then.
func (m *Missing) Cut(ctx context.Context, number int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.commit(); err != nil {
		return err
	}
	if _, err := m.db.ExecContext(ctx, `DELETE FROM missing WHERE number > ?`, number); err != nil {
		return fmt.Errorf("forgetting what is missing: %w", err)
	}
	return nil
}

// Seal keeps what was added, and counts it. Nothing is added any more.
func (m *Missing) Seal(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.commit(); err != nil {
		return err
	}
	var first, last sql.NullInt64
	// What an earlier run has sent is still missing, or again.
	if _, err := m.db.ExecContext(ctx, `UPDATE missing SET fate = ?, place = '' WHERE fate <> ?`, Nowhere, Nowhere); err != nil {
		return fmt.Errorf("counting what is missing: %w", err)
	}
	if err := m.db.QueryRowContext(ctx, `SELECT count(*), min(time), max(time) FROM missing`).Scan(&m.left, &first, &last); err != nil {
		return fmt.Errorf("counting what is missing: %w", err)
	}
	m.first, m.last = first.Int64, last.Int64
	return nil
}

// span returns the first and the last time of a missing reading.
func (m *Missing) span() (first, last int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.first, m.last, m.left > 0
}

// Left counts the readings that were not sent.
func (m *Missing) Left() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left
}

// Lookup returns what became of a reading; ok is false when it is not missing.
func (m *Missing) Lookup(ctx context.Context, k validate.Known) (_ Entry, ok bool, err error) {
	if k.Time < m.first || k.Time > m.last {
		return Entry{}, false, nil
	}
	e := Entry{Known: k}
	err = m.find.QueryRowContext(ctx, k.Device, k.Tag, k.Time, int64(k.Seq)).Scan(&e.Fate, &e.Place)
	if errors.Is(err, sql.ErrNoRows) {
		return Entry{}, false, nil
	}
	if err != nil {
		return Entry{}, false, fmt.Errorf("looking for what is missing: %w", err)
	}
	return e, true, nil
}

// settle notes what became of readings that a place had. Those that were sent
// before stay so.
func (m *Missing) settle(ctx context.Context, place string, ks []validate.Known, f Fate) (err error) {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("noting what was sent: %w", err)
	}
	update := tx.StmtContext(ctx, m.update)
	defer func() { err = errors.Join(err, update.Close()) }()
	changed := int64(0)
	for _, k := range ks {
		var result sql.Result
		if result, err = update.ExecContext(ctx, f, place, k.Device, k.Tag, k.Time, int64(k.Seq)); err != nil {
			break
		}
		n, _ := result.RowsAffected() // which this driver always knows
		changed += n
	}
	if err != nil {
		return fmt.Errorf("noting what was sent: %w", errors.Join(err, tx.Rollback()))
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("noting what was sent: %w", err)
	}
	if f == Sent {
		m.mu.Lock()
		m.left -= changed
		m.mu.Unlock()
	}
	return nil
}

// pageEntries is how many entries are held in memory.
const pageEntries = 5000

// All returns the readings by device, tag, time and number. An error is the last
// thing that it returns.
func (m *Missing) All(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		after := Entry{Known: validate.Known{Time: math.MinInt64}}
		begun := false
		for {
			page, err := m.page(ctx, after, begun)
			if err != nil {
				yield(Entry{}, fmt.Errorf("reading what is missing: %w", err))
				return
			}
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < pageEntries {
				return
			}
			after, begun = page[len(page)-1], true
		}
	}
}

func (m *Missing) page(ctx context.Context, after Entry, begun bool) (page []Entry, err error) {
	compare := ">="
	if begun {
		compare = ">"
	}
	rows, err := m.db.QueryContext(ctx, `SELECT device, tag, time, seq, fate, place FROM missing WHERE (device, tag, time, seq) `+compare+` (?, ?, ?, ?) ORDER BY device, tag, time, seq LIMIT ?`,
		after.Device, after.Tag, after.Time, int64(after.Seq), pageEntries)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var e Entry
		var seq int64
		if err := rows.Scan(&e.Device, &e.Tag, &e.Time, &seq, &e.Fate, &e.Place); err != nil {
			return nil, err
		}
		e.Seq = uint64(seq)
		page = append(page, e)
	}
	return page, rows.Err()
}

// Forget has Close remove the file.
func (m *Missing) Forget() { m.keep = false }

// Close closes the file, and removes it when it was for the time being.
func (m *Missing) Close() error {
	var errs []error
	m.mu.Lock()
	errs = append(errs, m.commit())
	m.mu.Unlock()
	for _, s := range []*sql.Stmt{m.find, m.update} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if m.db != nil {
		errs = append(errs, m.db.Close())
	}
	if !m.keep {
		errs = append(errs, m.remove())
	}
	return errors.Join(errs...)
}

func (m *Missing) remove() error {
	var errs []error
	for _, name := range []string{m.file, m.file + "-wal", m.file + "-shm"} {
		if err := os.Remove(name); err != nil && !os.IsNotExist(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
