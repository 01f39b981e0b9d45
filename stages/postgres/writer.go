package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
)

// point is a reading on its way into the table.
type point struct {
	reading       reading.Reading
	index         int // of its message in the batch
	series, place int32
}

func (p *point) seriesNames() pair { return pair{p.reading.Device, p.reading.Tag} }
func (p *point) placeNames() pair  { return pair{p.reading.Site, p.reading.Line} }

// writer stores readings over one session after the other.
type writer struct {
	config *Config
	logger *slog.Logger
	feed   string // and route: who wants readings to be kept

	session *session // nil, or open
	// What is known of the database. It is learned anew with each session: the
	// server may be another one, or may have been restored from a backup.
	series, places *names
	partitions     partitions
	nextUpkeep     time.Time
	clocks         clocks

	longest retention // of all feeds, when it was asked for last
	warned  bool      // of a server that does not sync
	full    bool      // the disk, when it was written to last

	// repeated says that points come again, as they do after a connection was
	// lost.
	repeated bool
	// found says that points were there, and that nothing was committed since.
	found bool

	columns columns
	failed  []feed.Failure
}

// The statements of a session. Points that are new are inserted by a statement
// that fails as a whole when one of them is there already, since ON CONFLICT costs
// the server two thirds more CPU time. Then, and for as long as points come again,
// the other one leaves out what is there; what the table says instead is asked for
// when a row was left out.
const (
	columnNames = `ts, seq, float, int, series, place, ns, bool, quality, text, raw`
	given       = `unnest($1::timestamptz[], $2::bigint[], $3::double precision[], $4::bigint[], $5::integer[], $6::integer[], $7::smallint[], $8::boolean[], $9::text[], $10::text[], $11::bytea[])`

	insertName = "insert"
	insertSQL  = `INSERT INTO points (` + columnNames + `) SELECT * FROM ` + given

	insertMissingName = "insert missing"
	insertMissingSQL  = insertSQL + ` ON CONFLICT DO NOTHING`

	// Bits are compared, and not numbers, of which NaN equals NaN and 0 is −0.
	// The subquery with its LIMIT keeps the planner from reading whole
	// partitions; the bounds on ts let it leave out the others.
	compareName = "compare"
	compareSQL  = `
		SELECT g.n - 1, p.ts IS NULL, l.site, l.line, ` + valueColumns + `
		FROM ` + given + ` WITH ORDINALITY g(` + columnNames + `, n)
		LEFT JOIN LATERAL (
			SELECT * FROM points q
			WHERE q.series = g.series AND q.ts = g.ts AND q.ns = g.ns AND q.seq = g.seq AND q.ts BETWEEN $12::timestamptz AND $13::timestamptz
			LIMIT 1
		) p ON true
		LEFT JOIN places l ON l.id = p.place
		WHERE p.ts IS NULL OR (p.place, float8send(p.float), p.int, p.bool, p.text, p.raw, p.quality) IS DISTINCT FROM (g.place, float8send(g.float), g.int, g.bool, g.text, g.raw, g.quality)`
)

// open connects, unless the session is there, and prepares everything.
func (w *writer) open(ctx context.Context) (err error) {
	if w.session != nil {
		if !w.session.broken() {
			return nil
		}
		if err := w.close(); err != nil {
			w.logger.Debug("close a connection that had failed", "error", err)
		}
	}
	if w.session, err = connect(ctx, w.config, readWrite); err != nil {
		return err
	}
	if err := w.prepare(ctx); err != nil {
		return errors.Join(fmt.Errorf("prepare %s: %w", w.config.URL, explained(because(ctx, err))), w.close())
	}
	w.nextUpkeep, w.repeated = time.Time{}, true
	return nil
}

func (w *writer) prepare(ctx context.Context) error {
	s := w.session
	if s.server.readOnly {
		return &pgconn.PgError{Severity: "ERROR", Code: stateReadOnly, Message: "the server takes no writes"}
	}
	if !s.server.fsync && !w.warned {
		w.warned = true
		w.logger.Warn("the server runs with fsync=off: what it has committed does not survive a power loss", "server", w.config.URL)
	}
	if err := s.prepareSchema(ctx, w.config); err != nil {
		return err
	}
	w.series, w.places = newNames("series", "device", "tag"), newNames("places", "site", "line")
	if err := w.partitions.load(ctx, s); err != nil {
		return err
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	for name, sql := range map[string]string{insertName: insertSQL, insertMissingName: insertMissingSQL, compareName: compareSQL} {
		if _, err := s.conn.PgConn().Prepare(ctx, name, sql, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) close() error {
	s := w.session
	if s == nil {
		return nil
	}
	w.session = nil
	return s.close()
}

// The bounds of one statement.
const (
	statementBytes  = 8 << 20
	statementPoints = 10_000
)

// write stores points. What of them can never be stored is in w.failed
// afterwards, the rest durable; after an error nothing is known.
func (w *writer) write(ctx context.Context, points []point, now time.Time) (err error) {
	w.failed, w.found, w.session.waitCut = nil, false, false
	defer func() {
		w.full = diskFull(err)
		if outdated(err) || elsewhere(err) {
			err = errors.Join(err, w.close())
		}
	}()
	if err := w.upkeep(ctx, now); err != nil {
		return err
	}
	if points, err = w.place(ctx, w.timely(points, now)); err != nil {
		return err
	}
	for len(points) > 0 {
		n, bytes := 0, 0
		for n < len(points) && n < statementPoints && (n == 0 || bytes+len(points[n].reading.Value.Text()) <= statementBytes) {
			bytes += len(points[n].reading.Value.Text())
			n++
		}
		if err := w.store(ctx, points[:n]); err != nil {
			return err
		}
		points = points[n:]
	}
	return w.confirm(ctx)
}

// place finds the ids and partitions of points, and returns those that have them.
func (w *writer) place(ctx context.Context, points []point) ([]point, error) {
	w.series.makeRoom(len(points))
	w.places.makeRoom(len(points))
	for i := range points {
		w.series.ask(points[i].seriesNames())
		w.places.ask(points[i].placeNames())
	}
	for _, n := range []*names{w.series, w.places} {
		if err := n.resolve(ctx, w.session); err != nil {
			return nil, err
		}
	}
	points = w.named(points)
	for i := range points {
		p := &points[i]
		p.series, p.place = w.series.id(p.seriesNames()), w.places.id(p.placeNames())
		if at, _ := split(p.reading.Time); !w.partitions.have(at) {
			if err := w.partitions.ensure(ctx, w.session, at, w.config.Partition); err != nil {
				return nil, err
			}
		}
	}
	return points, nil
}

// named leaves out the points whose names the database refuses.
func (w *writer) named(points []point) []point {
	if len(w.series.refused)+len(w.places.refused) == 0 {
		return points
	}
	return slices.DeleteFunc(points, func(p point) bool {
		err := errors.Join(w.series.refused[p.seriesNames()], w.places.refused[p.placeNames()])
		if err != nil {
			w.fail(&p, err)
		}
		return err != nil
	})
}

// store inserts points in one transaction. When the server refuses a row it tries
// the halves, until it has found the row.
func (w *writer) store(ctx context.Context, points []point) error {
	inserted, err := w.insert(ctx, points)
	if err == nil {
		w.found = inserted == 0
	}
	switch {
	case err == nil && inserted == len(points):
		return nil
	case err == nil:
		return w.compare(ctx, points)
	case !refusesRow(err):
		return err
	case len(points) == 1:
		w.fail(&points[0], explained(err))
		return nil
	}
	half := len(points) / 2
	if err := w.store(ctx, points[:half]); err != nil {
		return err
	}
	return w.store(ctx, points[half:])
}

func (w *writer) fail(p *point, err error) {
	w.failed = append(w.failed, feed.Failure{Index: p.index, Err: feed.Permanent(err)})
}

// inBinary is the format of all parameters and results.
var inBinary = []int16{pgx.BinaryFormatCode}

// insert returns how many points were not there before.
func (w *writer) insert(ctx context.Context, points []point) (int, error) {
	params := w.columns.encode(points)
	if !w.repeated {
		inserted, err := w.execute(ctx, insertName, params)
		if !duplicate(err) {
			return inserted, err
		}
		w.repeated = true
	}
	inserted, err := w.execute(ctx, insertMissingName, params)
	if err == nil {
		w.repeated = inserted < len(points)
	}
	return inserted, err
}

// execute returns how many rows a statement has inserted.
func (w *writer) execute(ctx context.Context, statement string, params [][]byte) (int, error) {
	ctx, cancel := w.session.within(ctx)
	defer cancel()
	tag, err := w.session.conn.PgConn().ExecPrepared(ctx, statement, params, inBinary, inBinary).Close()
	return int(tag.RowsAffected()), because(ctx, err)
}

// compare looks for points that are stored otherwise, or not at all.
func (w *writer) compare(ctx context.Context, points []point) error {
	ctx, cancel := w.session.within(ctx)
	defer cancel()
	earliest, latest := points[0].reading.Time, points[0].reading.Time
	for i := range points {
		earliest, latest = min(earliest, points[i].reading.Time), max(latest, points[i].reading.Time)
	}
	params := w.columns.encode(points)
	params = append(params, timestamptz(earliest), timestamptz(latest))
	result := w.session.conn.PgConn().ExecPrepared(ctx, compareName, params, inBinary, inBinary)
	rows := pgx.RowsFromResultReader(w.session.conn.TypeMap(), result)
	defer rows.Close()
	for rows.Next() {
		var n int64
		var missing bool
		var site, line *string
		var stored value
		if err := rows.Scan(append([]any{&n, &missing, &site, &line}, stored.targets()...)...); err != nil {
			return err
		}
		p := &points[n]
		if missing {
			w.fail(p, fmt.Errorf("the database took this reading without an error and does not have it: a trigger or a rule on the table points drops it, or its partition was dropped meanwhile"))
			continue
		}
		there := p.reading
		there.Site, there.Line = text(site), text(line)
		there.Value, there.Quality = stored.reading(), text(stored.quality)
		w.fail(p, fmt.Errorf("another reading has the same device, tag, time and sequence number: %s is stored", clipped(there.AppendJSON(nil))))
	}
	return because(ctx, rows.Err())
}

// clipped bounds what is shown of a reading.
func clipped(json []byte) string {
	const most = 600
	if len(json) <= most {
		return string(json)
	}
	return strings.ToValidUTF8(string(json[:most]), "") + "…"
}

// failures returns what could not be stored, in the order of the messages.
func failures(parts ...[]feed.Failure) *feed.BatchError {
	all := slices.Concat(parts...)
	slices.SortFunc(all, func(a, b feed.Failure) int { return a.Index - b.Index })
	return &feed.BatchError{Failures: all}
}
