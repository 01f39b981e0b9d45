package cloudapi

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// The kinds of lies.
const (
	kindDrop      = "drop"
	kindAlter     = "alter"
	kindDuplicate = "duplicate"
	kindLate      = "late"
)

// lie is what is told of a reading instead of the truth.
type lie struct {
	key   key
	kind  string
	truth []byte
	told  []byte        // alter: what is told
	until sql.NullInt64 // late: when it is told, in nanoseconds since 1970
}

func newLie(kind string, r *reading.Reading, f Faults, now int64) lie {
	l := lie{key: keyOf(r), kind: kind, truth: r.AppendJSON(nil)}
	switch kind {
	case kindAlter:
		other := *r
		other.Value = altered(r.Value, fate(f.Seed+1, l.key))
		l.told = other.AppendJSON(nil)
	case kindLate:
		l.until = sql.NullInt64{Int64: now + int64(f.LateFor), Valid: true}
	}
	return l
}

// tell returns what is told of a reading at a time, and how often.
func (l *lie) tell(now int64) (text []byte, times int) {
	switch l.kind {
	case kindDrop:
		return nil, 0
	case kindAlter:
		return l.told, 1
	case kindDuplicate:
		return l.truth, 2
	case kindLate:
		if now < l.until.Int64 {
			return nil, 0
		}
	}
	return l.truth, 1
}

func (l *lie) save(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO lies (ts, device, tag, seq, kind, truth, told, until) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		l.key.Time, l.key.Device, l.key.Tag, orderedSeq[int64](l.key.Seq), l.kind, l.truth, l.told, l.until)
	return err
}

// liesIn returns lies in the order of their readings.
func liesIn(ctx context.Context, db *sql.DB) ([]lie, error) {
	rows, err := db.QueryContext(ctx, `SELECT ts, device, tag, seq, kind, truth, told, until FROM lies ORDER BY ts, device, tag, seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	var lies []lie
	for rows.Next() {
		var l lie
		var seq int64
		if err := rows.Scan(&l.key.Time, &l.key.Device, &l.key.Tag, &seq, &l.kind, &l.truth, &l.told, &l.until); err != nil {
			return nil, err
		}
		l.key.Seq = orderedSeq[uint64](seq)
		lies = append(lies, l)
	}
	return lies, rows.Err()
}

func loadLies(ctx context.Context, db *sql.DB) (map[key]lie, error) {
	all, err := liesIn(ctx, db)
	lies := make(map[key]lie, len(all))
	for _, l := range all {
		lies[l.key] = l
	}
	return lies, err
}

// confession is a lie as the administrator reads it.
type confession struct {
	Kind  string          `json:"kind"`
	Truth json.RawMessage `json:"truth"`
	Told  json.RawMessage `json:"told,omitempty"`
	Until *time.Time      `json:"until,omitempty"`
}

func (l *lie) confess() confession {
	c := confession{Kind: l.kind, Truth: l.truth, Told: l.told}
	if l.until.Valid {
		at := time.Unix(0, l.until.Int64).UTC()
		c.Until = &at
	}
	return c
}
