package quarantine

import (
	"context"
	"database/sql"
	"strconv"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Action is something that was done with items.
type Action string

// The actions.
const (
	ActionReplay Action = "replay" // sent again
	ActionExport Action = "export" // copied to somewhere else
	ActionPurge  Action = "purge"  // removed by a command
	ActionExpire Action = "expire" // removed by retention
)

// AuditEntry is one use of the quarantine: a run of a command, or what
// retention has removed on one day for one reason.
type AuditEntry struct {
	ID             int64
	Feed           string // whose items
	Action         Action
	Target         string // to where; empty for what was removed
	Selection      string // which items, in the words of whoever asked
	Started, Ended time.Time
	Messages       int64
	Bytes          feed.Size
}

// Audit returns what was done, the newest first, at most limit entries.
func (r *Reader) Audit(ctx context.Context, limit int) ([]AuditEntry, error) {
	rows, err := r.conn.db.QueryContext(ctx, r.schema.sql(
		`SELECT id, feed, action, target, selection, started_at, ended_at, messages, bytes FROM {audit} WHERE $1 IN ('', feed) ORDER BY id DESC LIMIT `+strconv.Itoa(limit)), r.schema.owner())
	if err != nil {
		return nil, r.engine.wrap("read the audit of", err)
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	var entries []AuditEntry
	for rows.Next() {
		e, err := r.scanAudit(rows)
		if err != nil {
			return nil, r.engine.wrap("read the audit of", err)
		}
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, r.engine.wrap("read the audit of", err)
	}
	return entries, nil
}

func (r *Reader) scanAudit(rows *sql.Rows) (e AuditEntry, err error) {
	var feedName, target, selection, started, ended string
	if err := rows.Scan(&e.ID, &feedName, &e.Action, &target, &selection, &started, &ended, &e.Messages, &e.Bytes); err != nil {
		return e, err
	}
	if e.Feed, err = r.schema.decode(feedName); err != nil {
		return e, err
	}
	if e.Target, err = r.schema.decode(target); err != nil {
		return e, err
	}
	if e.Selection, err = r.schema.decode(selection); err != nil {
		return e, err
	}
	if e.Started, err = time.Parse(time.RFC3339Nano, started); err != nil {
		return e, err
	}
	e.Ended, err = time.Parse(time.RFC3339Nano, ended)
	return e, err
}

// record is an entry of the audit that is being written.
type record struct {
	id                int64 // 0: not written yet
	started           string
	action            Action
	target, selection string
}

// enter makes the entry, unless it is there, so that a run that does nothing
// leaves none. It looks: the transaction that made it may have failed, or not,
// when the connection was lost; then its id may be somebody else's.
func (r *record) enter(ctx context.Context, s schema, tx *sql.Tx, now time.Time) error {
	if r.id != 0 {
		var there bool
		err := tx.QueryRowContext(ctx, s.sql(`SELECT count(*) > 0 FROM {audit} WHERE id = $1 AND feed = $2 AND action = $3 AND started_at = $4`),
			r.id, s.owner(), string(r.action), r.started).Scan(&there)
		if err != nil || there {
			return err
		}
	}
	r.started = now.UTC().Format(time.RFC3339Nano)
	return tx.QueryRowContext(ctx, s.sql(`INSERT INTO {audit} (feed, action, target, selection, started_at, ended_at, messages, bytes) VALUES ($1, $2, $3, $4, $5, $6, 0, 0) RETURNING id`),
		s.owner(), string(r.action), s.encode(r.target), s.encode(r.selection), r.started, r.started).Scan(&r.id)
}

// add adds to the entry what was done.
func (r *record) add(ctx context.Context, s schema, tx *sql.Tx, now time.Time, done held) error {
	_, err := tx.ExecContext(ctx, s.sql(`UPDATE {audit} SET messages = messages + $1, bytes = bytes + $2, ended_at = $3 WHERE id = $4`),
		done.messages, int64(done.bytes), now.UTC().Format(time.RFC3339Nano), r.id)
	return err
}
