package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// engine is a database that can hold a quarantine.
type engine interface {
	// where names the place for people, without secrets.
	where() string
	// schema returns the tables, and how they are written and read.
	schema() schema
	// open connects and makes sure that the database is a quarantine. The
	// caller closes the connection.
	open(ctx context.Context, m mode) (*connection, error)
	// wrap says what was being done with the place, and marks damage.
	wrap(doing string, err error) error
	// patience bounds one use of the database; 0 is no bound.
	patience() time.Duration
}

// mode is what a quarantine is opened for.
type mode uint8

const (
	modeRead  mode = iota
	modeWrite      // a feed: creates what is missing
	modeEdit       // a command that marks and removes: one at a time
)

// connection is an open database with the lock that belongs to its mode.
type connection struct {
	db   *sql.DB
	lock io.Closer // nil: none

	closing sync.Once
}

// beginner starts transactions.
type beginner interface {
	BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error)
}

// BeginTx starts a transaction under the lock.
func (c *connection) BeginTx(ctx context.Context, opts *sql.TxOptions) (*sql.Tx, error) {
	if b, ok := c.lock.(beginner); ok {
		return b.BeginTx(ctx, opts)
	}
	return c.db.BeginTx(ctx, opts)
}

// Close gives the lock back last. Idempotent.
func (c *connection) Close() (err error) {
	c.closing.Do(func() {
		err = c.db.Close()
		if c.lock != nil {
			err = errors.Join(err, c.lock.Close())
		}
	})
	return err
}

// held is what a quarantine holds, or a part of it.
type held struct {
	messages int64
	bytes    feed.Size
}

func (h *held) add(bytes int64) {
	h.messages++
	h.bytes += feed.Size(bytes)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// totals returns what the quarantine holds.
func totals(ctx context.Context, s schema, db querier) (h held, err error) {
	err = db.QueryRowContext(ctx, s.sql(`SELECT CAST(COALESCE(sum(messages), 0) AS BIGINT), CAST(COALESCE(sum(bytes), 0) AS BIGINT) FROM {totals} WHERE $1 IN ('', feed)`), s.owner()).Scan(&h.messages, &h.bytes)
	return h, err
}

// begin starts a transaction that excludes all other writers of the feed, and
// returns what the quarantine holds of it.
func begin(ctx context.Context, s schema, db beginner) (*sql.Tx, held, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, held{}, err
	}
	var h held
	if err := tx.QueryRowContext(ctx, s.sql(`SELECT messages, bytes FROM {totals} WHERE feed = $1{lock}`), s.owner()).Scan(&h.messages, &h.bytes); err != nil {
		return nil, held{}, errors.Join(err, tx.Rollback())
	}
	return tx, h, nil
}

// sum reads rows of one column, bytes, to their end.
func sum(rows *sql.Rows, err error) (h held, _ error) {
	if err != nil {
		return h, err
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	for rows.Next() {
		var bytes int64
		if err := rows.Scan(&bytes); err != nil {
			return h, err
		}
		h.add(bytes)
	}
	return h, rows.Err()
}

// bounded limits ctx to the engine's patience.
func bounded(ctx context.Context, e engine) (context.Context, context.CancelFunc) {
	if p := e.patience(); p > 0 {
		return context.WithTimeout(ctx, p)
	}
	return ctx, func() {}
}
