package cloudapi

import (
	"context"
	"database/sql"
	"strings"
)

// query says which readings are asked for.
type query struct {
	from, to    *int64 // from ≤ time < to
	device, tag string // empty: all
	limit       int
	after       *place
}

// place is where a page has ended.
type place struct {
	Key key `json:"k"`
	// Told is how often the reading of Key has been told: 2 with what follows it
	// next, 1 when it may still be told a second time.
	Told int `json:"n"`
}

// page is a part of an answer.
type page struct {
	readings  [][]byte
	next      *place // nil: there are no more now
	watermark *int64 // nil: there is none
}

// maxPageBytes ends a page early, so that it fits in memory.
const maxPageBytes = 4 << 20

// page returns the readings that follow, and the watermark as it was when they
// were read.
func (s *store) page(ctx context.Context, q *query) (*page, error) {
	s.telling.RLock()
	defer s.telling.RUnlock()
	tx, err := s.reader.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	p := &page{watermark: s.stalled}
	if !s.faults.StallWatermark {
		if p.watermark, err = s.mark(ctx, tx); err != nil {
			return nil, err
		}
	}
	return p, s.fill(ctx, tx, q, p)
}

// fill puts up to q.limit readings into a page.
func (s *store) fill(ctx context.Context, tx *sql.Tx, q *query, p *page) error {
	statement, args := q.statement()
	rows, err := tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err says what went wrong
	now, size := s.now().UnixNano(), 0
	var last place
	for n := 0; rows.Next(); n++ {
		if n == q.limit || len(p.readings) == q.limit || size > maxPageBytes {
			p.next = &last
			break
		}
		var k key
		var seq int64
		var text sql.RawBytes
		if err := rows.Scan(&k.Time, &k.Device, &k.Tag, &seq, &text); err != nil {
			return err
		}
		k.Seq = orderedSeq[uint64](seq)
		told, times := text, 1
		if l, ok := s.lies[k]; ok {
			told, times = l.tell(now)
		}
		last = place{k, 2}
		if q.after != nil && q.after.Key == k {
			times -= q.after.Told
		}
		if times <= 0 {
			continue
		}
		copied := append([]byte(nil), told...)
		size += len(copied)
		p.readings = append(p.readings, copied)
		if times == 2 {
			if len(p.readings) == q.limit {
				last.Told = 1
				p.next = &last
				break
			}
			p.readings = append(p.readings, copied)
		}
	}
	return rows.Err()
}

// statement asks for what follows in the order of pages, and for one more, which
// tells whether there is more. The place is compared as a row, so that an index
// finds it.
func (q *query) statement() (text string, args []any) {
	conditions := []string{"TRUE"}
	where := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if q.device != "" {
		where("device = ?", q.device)
	}
	if q.tag != "" {
		where("+tag = ?", q.tag) // without the plus SQLite sorts by the rest of the order anew
	}
	if q.after == nil {
		if q.from != nil {
			where("ts >= ?", *q.from)
		}
	} else {
		compare := ">"
		if q.after.Told == 1 {
			compare = ">="
		}
		k := q.after.Key
		if q.device != "" {
			where("(ts, tag, seq) "+compare+" (?, ?, ?)", k.Time, k.Tag, orderedSeq[int64](k.Seq))
		} else {
			where("(ts, device, tag, seq) "+compare+" (?, ?, ?, ?)", k.Time, k.Device, k.Tag, orderedSeq[int64](k.Seq))
		}
	}
	if q.to != nil {
		where("ts < ?", *q.to)
	}
	return `SELECT ts, device, tag, seq, json FROM readings WHERE ` + strings.Join(conditions, " AND ") +
		` ORDER BY ts, device, tag, seq LIMIT ?`, append(args, q.limit+1)
}
