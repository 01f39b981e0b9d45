package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// extraction reads all points of a query, of all series at once, with a cursor of
// the server: a page is asked for when the last one was taken, so that memory is
// bounded, and no request lasts longer than its page.
type extraction struct {
	observation *Observation
	query       Query
	first, last int64 // times, both included
	take        func(validate.Page) error

	session *session
	rows    pointRows
	page    []validate.Record // used again
	bad     []validate.Unreadable
	bytes   int   // of the texts in page
	refused error // of take
}

// fetch is how many rows are asked for at a time. A page is handed out sooner when
// its texts exceed pageBytes.
const fetch = 10_000

func (x *extraction) run(ctx context.Context) (err error) {
	o := x.observation
	s, used, err := o.session(ctx)
	if err != nil {
		return err
	}
	x.session = s
	err = x.open(ctx)
	if err != nil && used && s.broken() && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		_ = s.close() // it was lost while nobody used it
		if s, err = o.connect(ctx); err != nil {
			return err
		}
		x.session = s
		err = x.open(ctx)
	}
	var any bool
	if err == nil {
		any, err = x.names(ctx)
	}
	if err == nil && any {
		err = x.points(ctx)
	}
	end := "COMMIT"
	if err != nil {
		end = "ROLLBACK"
	}
	if !s.broken() {
		if ended := x.exec(ctx, end); ended != nil {
			return errors.Join(err, ended, s.close())
		}
	}
	return errors.Join(err, o.put(s))
}

// exec sends statements without parameters.
func (x *extraction) exec(ctx context.Context, sql string) error {
	ctx, cancel := x.session.within(ctx)
	defer cancel()
	x.observation.costs.requests.Add(1)
	_, err := x.session.conn.PgConn().Exec(ctx, sql).ReadAll()
	return because(ctx, err)
}

// open begins a transaction that sees names and points of the same moment.
func (x *extraction) open(ctx context.Context) error {
	return x.exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
}

// names learns the names of all ids that points of the query can have. any is
// false when there are no such points.
func (x *extraction) names(ctx context.Context) (any bool, err error) {
	x.rows.series, err = x.pairs(ctx, `SELECT id, device, tag FROM series WHERE ($1 = '' OR device = $1) AND ($2 = '' OR tag = $2)`, x.query.Device, x.query.Tag)
	if err != nil || len(x.rows.series) == 0 {
		return false, err
	}
	x.rows.places, err = x.pairs(ctx, `SELECT id, site, line FROM places`)
	return true, err
}

func (x *extraction) pairs(ctx context.Context, sql string, args ...any) (map[int32]pair, error) {
	ctx, cancel := x.session.within(ctx)
	defer cancel()
	x.observation.costs.requests.Add(1)
	rows, err := x.session.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, because(ctx, err)
	}
	defer rows.Close()
	known := map[int32]pair{}
	for rows.Next() {
		var id int32
		var p pair
		if err := rows.Scan(&id, &p[0], &p[1]); err != nil {
			return nil, because(ctx, err)
		}
		known[id] = p
	}
	return known, because(ctx, rows.Err())
}

// points hands out the points.
func (x *extraction) points(ctx context.Context) error {
	if err := x.declare(ctx); err != nil {
		return err
	}
	for {
		n, err := x.fetch(ctx)
		if err != nil {
			return err
		}
		if err := x.hand(); err != nil {
			return err
		}
		if n < fetch {
			return nil
		}
	}
}

// declare opens the cursor. Its statement names the series, so that the index is
// of use where that is less than all that was stored in that time.
func (x *extraction) declare(ctx context.Context) error {
	ids := column{}
	ids.begin(pgtype.Int4OID)
	for id := range x.rows.series {
		ids.int32(id)
	}
	_, fromNS := split(x.first)
	_, toNS := split(x.last)
	int2 := func(v int16) []byte { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
	ctx, cancel := x.session.within(ctx)
	defer cancel()
	x.observation.costs.requests.Add(1)
	_, err := x.session.conn.PgConn().ExecParams(ctx, `
		DECLARE points_of_a_read NO SCROLL CURSOR FOR SELECT `+pointColumns+` FROM points
		WHERE series = ANY($1) AND ts BETWEEN $2 AND $3 AND (ts > $2 OR ns >= $4) AND (ts < $3 OR ns <= $5)`,
		[][]byte{ids.end(len(x.rows.series)), timestamptz(x.first), timestamptz(x.last), int2(fromNS), int2(toNS)},
		[]uint32{pgtype.Int4ArrayOID, pgtype.TimestamptzOID, pgtype.TimestamptzOID, pgtype.Int2OID, pgtype.Int2OID},
		[]int16{1}, nil).Close()
	return because(ctx, err)
}

var fetchSQL = fmt.Sprintf("FETCH %d FROM points_of_a_read", fetch)

// fetch takes the next rows, and returns how many there were.
func (x *extraction) fetch(ctx context.Context) (n int, err error) {
	ctx, cancel := x.session.within(ctx)
	defer cancel()
	x.observation.costs.requests.Add(1)
	result := x.session.conn.PgConn().ExecParams(ctx, fetchSQL, nil, nil, nil, []int16{1})
	for result.NextRow() {
		n++
		if err := x.add(result); err != nil {
			// What the server has sent of the page already is passed over.
			_, closed := result.Close()
			return n, errors.Join(err, closed)
		}
	}
	_, err = result.Close()
	return n, because(ctx, err)
}

// add puts a row into the page, and hands it out when it is large.
func (x *extraction) add(result *pgconn.ResultReader) error {
	values := result.Values()
	size := 0
	for _, v := range values {
		size += len(v)
	}
	x.observation.costs.bytes.Add(int64(size))
	r, err := x.rows.reading(values)
	if err != nil {
		u := validate.Unreadable{Place: x.observation.place, Err: err}
		x.bad = append(x.bad, u)
	} else {
		x.page = append(x.page, validate.Record{Reading: r, Place: x.observation.place})
	}
	if x.bytes += len(r.Value.Text()); x.bytes > pageBytes {
		return x.hand()
	}
	return nil
}

// hand hands out the page.
func (x *extraction) hand() error {
	p := validate.Page{Records: x.page, Unreadable: x.bad}
	if len(p.Records)+len(p.Unreadable) == 0 {
		return nil
	}
	x.observation.costs.readings.Add(int64(len(p.Records)))
	x.refused = x.take(p)
	clear(x.page)
	x.page, x.bad, x.bytes = x.page[:0], nil, 0
	return x.refused
}
