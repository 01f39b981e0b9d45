package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Reader reads what a [Sink] has stored. It is for concurrent use: requests wait
// for each other, and none is open while the caller looks at a reading.
type Reader struct {
	config Config

	mu      sync.Mutex
	session *session // nil when closed
}

// OpenReader connects, and fails when there are no tables of this version. It
// blocks until it has connected, or connectTimeout or ctx ends it.
func OpenReader(ctx context.Context, c Config) (*Reader, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s, err := connect(ctx, &c, readOnly)
	if err != nil {
		return nil, err
	}
	if err := s.checkSchema(ctx, c.Schema); err != nil {
		return nil, fmt.Errorf("open %s: %w", c.URL, errors.Join(explained(err), s.close()))
	}
	return &Reader{config: c, session: s}, nil
}

// Query selects readings.
type Query struct {
	Device string // "": of all devices
	Tag    string // "": of all tags
	// From is the first time, To the first one beyond. Zero times are no bounds.
	From, To time.Time
}

// bounds returns the times of a query in nanoseconds, both included. ok is false
// when no reading can be meant.
func (q *Query) bounds() (first, last int64, ok bool) {
	for _, name := range [...]string{q.Device, q.Tag} {
		if !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
			return 0, 0, false // the server refuses such texts, as the sink does
		}
	}
	all := validate.Query{From: q.From, To: q.To} // a zero From is before all readings
	if q.To.IsZero() {
		all.To = time.Unix(0, most).Add(1)
	}
	return all.Times()
}

// The times that a reading can have.
const (
	least = math.MinInt64
	most  = math.MaxInt64
)

// The bounds of a page.
const (
	pageRows  = 1000
	pageBytes = 4 << 20 // of texts; the row that exceeds it is the last
)

// Readings returns the readings of a query in the order of device, tag (both by
// their bytes), time and sequence number. It holds one page of them, and asks for
// the next one by the last reading of it: what is stored meanwhile further on is
// seen. An error is the last thing that it returns.
func (r *Reader) Readings(ctx context.Context, q Query) iter.Seq2[reading.Reading, error] {
	return func(yield func(reading.Reading, error) bool) {
		first, last, ok := q.bounds()
		if !ok {
			return
		}
		for s, err := range r.series(ctx, q) {
			if err != nil {
				yield(reading.Reading{}, err)
				return
			}
			if !r.readSeries(ctx, s, first, last, yield) {
				return
			}
		}
	}
}

// readSeries yields one series, and returns false when nothing may follow.
func (r *Reader) readSeries(ctx context.Context, s series, first, last int64, yield func(reading.Reading, error) bool) bool {
	after := cursor{time: first, seq: least, included: true}
	limit := pageRows
	for {
		page, whole, err := r.page(ctx, s, after, last, limit)
		if err != nil {
			yield(reading.Reading{}, err)
			return false
		}
		for i := range page {
			if !yield(page[i], nil) {
				return false
			}
		}
		switch {
		case !whole:
			limit = len(page) // ask for no more than fits
		case len(page) < limit:
			return true
		default:
			limit = min(2*limit, pageRows)
		}
		end := &page[len(page)-1]
		after = cursor{time: end.Time, seq: seqToSQL(end.Seq)}
	}
}

// cursor is the place in a series where a page begins.
type cursor struct {
	time     int64
	seq      int64 // as in the table
	included bool
}

// pageSQL returns the statement for a page.
func pageSQL(included bool) string {
	compare := ">"
	if included {
		compare = ">="
	}
	return `
		SELECT p.ts, p.ns, p.seq, l.site, l.line, ` + valueColumns + `
		FROM points p JOIN places l ON l.id = p.place
		WHERE p.series = $1 AND p.ts BETWEEN $2 AND $5 AND (p.ts, p.ns, p.seq) ` + compare + ` ($2, $3, $4) AND (p.ts, p.ns) <= ($5, $6)
		ORDER BY p.ts, p.ns, p.seq LIMIT $7`
}

// page returns the next readings. whole is false when it stopped because of their
// size.
func (r *Reader) page(ctx context.Context, s series, after cursor, last int64, limit int) (page []reading.Reading, whole bool, err error) {
	from, fromNS := split(after.time)
	to, toNS := split(last)
	whole = true
	bytes := 0
	err = r.query(ctx, func(rows pgx.Rows) (bool, error) {
		var at time.Time
		var ns int16
		var seq int64
		var v value
		got := reading.Reading{Device: s.device, Tag: s.tag}
		if err := rows.Scan(append([]any{&at, &ns, &seq, &got.Site, &got.Line}, v.targets()...)...); err != nil {
			return false, err
		}
		got.Time, got.Seq, got.Value, got.Quality = join(at.UnixMicro(), ns), seqFromSQL(seq), v.reading(), text(v.quality)
		page = append(page, got)
		bytes += len(got.Value.Text())
		whole = bytes <= pageBytes
		return whole, nil
	}, pageSQL(after.included), s.id, time.UnixMicro(from), fromNS, after.seq, time.UnixMicro(to), toNS, limit)
	return page, whole, err
}

// query asks the server once, over a new connection when the last one has failed.
// take returns false when it wants no more rows.
func (r *Reader) query(ctx context.Context, take func(pgx.Rows) (bool, error), sql string, args ...any) (err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session == nil {
		return errors.New("the reader is closed")
	}
	if r.session.broken() {
		s, err := connect(ctx, &r.config, readOnly)
		if err != nil {
			return err
		}
		_ = r.session.close() // it has failed already, and that was told
		r.session = s
	}
	ctx, cancel := r.session.within(ctx)
	defer cancel()
	defer func() {
		if err != nil {
			err = fmt.Errorf("read from %s: %w", r.config.URL, explained(because(ctx, err)))
		}
	}()
	rows, err := r.session.conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		more, err := take(rows)
		if err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// Close closes the connection. Idempotent.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.session
	if s == nil {
		return nil
	}
	r.session = nil
	return s.close()
}
