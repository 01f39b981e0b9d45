package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
)

// Count is how many readings of a series fall into a window.
type Count struct {
	Device, Tag string
	From        time.Time // of the window, in UTC
	Readings    int64
}

// Counts returns how many readings there are in windows of a width, the first of
// which begins at q.From; windows without readings are left out. The order is
// that of device, tag and time. q.From, which must not be zero, and width are
// whole microseconds. An error is the last thing that it returns.
func (r *Reader) Counts(ctx context.Context, q Query, width time.Duration) iter.Seq2[Count, error] {
	return func(yield func(Count, error) bool) {
		if width <= 0 || width%time.Microsecond != 0 || q.From.IsZero() || q.From.Nanosecond()%1000 != 0 {
			yield(Count{}, fmt.Errorf("count readings: windows of %v from %v: both must be given, in whole microseconds", width, q.From))
			return
		}
		first, last, ok := q.bounds()
		if !ok {
			return
		}
		if first != q.From.UnixNano() {
			yield(Count{}, errors.New("count readings: no reading can be as old as that: begin later than 1678"))
			return
		}
		for s, err := range r.series(ctx, q) {
			if err != nil {
				yield(Count{}, err)
				return
			}
			if !r.countSeries(ctx, s, first, last, width, yield) {
				return
			}
		}
	}
}

// countSeries yields the counts of one series, a page at a time, and returns
// false when nothing may follow.
func (r *Reader) countSeries(ctx context.Context, s series, first, last int64, width time.Duration, yield func(Count, error) bool) bool {
	origin, _ := split(first)
	for {
		from, _ := split(first)
		to, toNS := split(last)
		var page []Count
		err := r.query(ctx, func(rows pgx.Rows) (bool, error) {
			c := Count{Device: s.device, Tag: s.tag}
			err := rows.Scan(&c.From, &c.Readings)
			c.From = c.From.UTC()
			page = append(page, c)
			return true, err
		}, `
			SELECT date_bin($1, p.ts, $2) AS w, count(*) FROM points p
			WHERE p.series = $3 AND p.ts BETWEEN $4 AND $5 AND (p.ts, p.ns) <= ($5, $6)
			GROUP BY w ORDER BY w LIMIT $7`, width, time.UnixMicro(origin), s.id, time.UnixMicro(from), time.UnixMicro(to), toNS, pageRows)
		if err != nil {
			yield(Count{}, err)
			return false
		}
		for _, c := range page {
			if !yield(c, nil) {
				return false
			}
		}
		if len(page) < pageRows {
			return true
		}
		next := page[len(page)-1].From.Add(width)
		if next.After(time.Unix(0, last)) {
			return true
		}
		first = next.UnixNano()
	}
}
