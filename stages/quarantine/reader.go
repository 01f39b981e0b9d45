package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/kraft-edge/datafeed/feed"
)

// Reader reads a quarantine, also while a feed writes it. Its methods are safe
// for concurrent use and block for as long as the disk takes.
type Reader struct {
	path string
	db   *sql.DB
}

// Limits of a [Query].
const (
	DefaultLimit = 100
	MaxLimit     = 10_000
)

// Query chooses items. Zero fields choose all.
type Query struct {
	Route string
	Stage string
	// Limit is the most items to return: DefaultLimit when 0, at most MaxLimit.
	Limit int
	// Before chooses items with smaller ids, After items with larger ones.
	Before, After int64
}

// OpenReadOnly opens the quarantine at path for reading; it writes nothing to
// it. A file that does not exist is an error that wraps fs.ErrNotExist. The
// caller closes the reader.
func OpenReadOnly(ctx context.Context, path string) (*Reader, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	r, err := newReader(path)
	if err != nil {
		return nil, err
	}
	what, err := identify(ctx, r.db, path)
	if err == nil && what == stateEmpty {
		err = fmt.Errorf("%w: %s is empty", ErrForeign, path)
	}
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func newReader(path string) (*Reader, error) {
	db, err := sql.Open("sqlite", dsn(path, "ro"))
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	db.SetMaxOpenConns(2)
	return &Reader{path: path, db: db}, nil
}

const (
	listed = `SELECT length(payload), id, uuid, created_at, route, stage, reason, origin, format, '', x''
		FROM "` + table + `"
		WHERE (?1 = '' OR route = ?1) AND (?2 = '' OR stage = ?2) AND id < ?3 AND id > ?4
		ORDER BY id `
	listNewest = listed + `DESC LIMIT ?5`
	listOldest = listed + `ASC LIMIT ?5`
	getItem    = `SELECT ` + rowColumns + ` FROM "` + table + `" WHERE id = ?`
	getTotals  = `SELECT messages, bytes FROM "` + table + `_totals"`
)

// List returns items without their payloads and properties: the newest first,
// or, when After is given, the oldest first. Pass the last id as Before, or as
// After, to go on.
func (r *Reader) List(ctx context.Context, q Query) ([]Item, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = DefaultLimit
	}
	before := q.Before
	if before == 0 {
		before = math.MaxInt64
	}
	query := listNewest
	if q.After != 0 {
		query = listOldest
	}
	rows, err := r.db.QueryContext(ctx, query, q.Route, q.Stage, before, q.After, min(limit, MaxLimit))
	if err != nil {
		return nil, wrap("list", r.path, err)
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	var items []Item
	for rows.Next() {
		var payloadBytes int64
		item, err := scanItem(scanAfter{rows, &payloadBytes})
		if err != nil {
			return nil, wrap("list", r.path, err)
		}
		item.Payload, item.Properties, item.PayloadBytes = nil, nil, payloadBytes
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, wrap("list", r.path, err)
	}
	return items, nil
}

// scanAfter scans a first column of its own before those that it is asked for.
type scanAfter struct {
	rows  *sql.Rows
	first any
}

func (s scanAfter) Scan(dest ...any) error {
	return s.rows.Scan(append([]any{s.first}, dest...)...)
}

// Get returns one item with its payload and properties, or an error that wraps
// [ErrNotFound].
func (r *Reader) Get(ctx context.Context, id int64) (Item, error) {
	item, err := scanItem(r.db.QueryRowContext(ctx, getItem, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Item{}, fmt.Errorf("get item %d of %s: %w", id, r.path, ErrNotFound)
	}
	if err != nil {
		return Item{}, wrap("read", r.path, err)
	}
	return item, nil
}

func scanItem(row interface{ Scan(...any) error }) (Item, error) {
	scanned, err := schema{}.UnmarshalMessage(row)
	if err != nil {
		return Item{}, err
	}
	return fromMessage(scanned.Offset, scanned.Msg)
}

// Len returns how many items there are.
func (r *Reader) Len(ctx context.Context) (int64, error) {
	n, _, err := totals(ctx, r.db)
	if err != nil {
		return 0, wrap("read", r.path, err)
	}
	return n, nil
}

// Bytes returns how many bytes the items count against the bound.
func (r *Reader) Bytes(ctx context.Context) (feed.Size, error) {
	_, n, err := totals(ctx, r.db)
	if err != nil {
		return 0, wrap("read", r.path, err)
	}
	return n, nil
}

// Close ends all reading. Idempotent.
func (r *Reader) Close() error { return r.db.Close() }

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func totals(ctx context.Context, db rowQuerier) (messages int64, bytes feed.Size, err error) {
	err = db.QueryRowContext(ctx, getTotals).Scan(&messages, &bytes)
	return messages, bytes, err
}
