package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// Reader reads a quarantine, also while a feed writes it. Its methods are safe
// for concurrent use and block for as long as the database takes.
type Reader struct {
	engine engine
	schema schema
	conn   *connection
}

// OpenReadOnly opens the quarantine at a place for reading; it writes nothing to
// it. Without a feed it reads the messages of all feeds. A file that does not
// exist is an error that wraps fs.ErrNotExist. The caller closes the reader.
func OpenReadOnly(ctx context.Context, p Place) (*Reader, error) {
	e, err := p.engine()
	if err != nil {
		return nil, err
	}
	return newReader(ctx, e)
}

func newReader(ctx context.Context, e engine) (*Reader, error) {
	c, err := e.open(ctx, modeRead)
	if err != nil {
		return nil, err
	}
	return &Reader{engine: e, schema: e.schema(), conn: c}, nil
}

const (
	// marks follow the columns of an item.
	marks     = `, COALESCE(r.ended_at, ''), COALESCE(r.target, ''), COALESCE(x.ended_at, ''), COALESCE(x.target, '')`
	fromItems = ` FROM {items} i LEFT JOIN {audit} r ON r.id = i.replayed LEFT JOIN {audit} x ON x.id = i.exported WHERE `
	listed    = `SELECT length(i.payload), i.id, i.uuid, i.created_at, i.feed, i.route, i.stage, i.reason, i.origin, i.format, ''`
	whole     = `SELECT length(i.payload), ` + rowColumns + marks + fromItems
)

// Feed returns the feed whose items it reads; empty: those of all.
func (r *Reader) Feed() string { return r.schema.feed }

// List returns items without their payloads and properties: the newest first,
// or, when After is given, the oldest first. Pass the last id as Before, or as
// After, to go on; of one feed, no item is missed then.
func (r *Reader) List(ctx context.Context, q Query) ([]Item, error) {
	order := "DESC"
	if q.After != 0 {
		order = "ASC"
	}
	where, args := q.where(r.schema)
	items, err := r.items(ctx, fmt.Sprintf(listed+`, `+r.schema.empty+marks+fromItems+`%s ORDER BY i.id %s LIMIT %d`, where, order, q.limit()), args)
	for i := range items {
		items[i].Payload, items[i].Properties = nil, nil
	}
	return items, err
}

// Fetch returns whole items, the oldest first: as many as the limit of q allows,
// but none more once they have maxBytes together, as they count against the
// bound; 0 is no bound. Pass the last id as After to go on.
func (r *Reader) Fetch(ctx context.Context, q Query, maxBytes feed.Size) ([]Item, error) {
	if maxBytes == 0 {
		maxBytes = math.MaxInt64
	}
	where, args := q.where(r.schema)
	// The sizes choose first: PostgreSQL sends all that a statement chooses, also
	// when nobody reads on.
	return r.items(ctx, fmt.Sprintf(whole+`i.id IN (SELECT id FROM (SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS before`+
		` FROM (SELECT i.id, i.bytes FROM {items} i WHERE %s ORDER BY i.id LIMIT %d) AS page) AS sized WHERE before < %d) ORDER BY i.id`,
		where, q.limit(), int64(maxBytes)), args)
}

// items runs a statement for items.
func (r *Reader) items(ctx context.Context, statement string, args []any) ([]Item, error) {
	rows, err := r.conn.db.QueryContext(ctx, r.schema.sql(statement), args...)
	if err != nil {
		return nil, r.engine.wrap("list", err)
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	var items []Item
	for rows.Next() {
		item, err := r.scan(rows)
		if err != nil {
			return nil, r.engine.wrap("list", err)
		}
		items = append(items, item)
	}
	if err := rows.Err(); err != nil {
		return nil, r.engine.wrap("list", err)
	}
	return items, nil
}

// Get returns one item with its payload and properties, or an error that wraps
// [ErrNotFound].
func (r *Reader) Get(ctx context.Context, id int64) (Item, error) {
	items, err := r.Fetch(ctx, Query{IDs: []int64{id}}, 0)
	if err == nil && len(items) == 0 {
		err = fmt.Errorf("get item %d of %s: %w", id, r.engine.where(), ErrNotFound)
	}
	if err != nil {
		return Item{}, err
	}
	return items[0], nil
}

// scan reads a row: the length of the payload, the columns of the schema, and
// the marks.
func (r *Reader) scan(rows *sql.Rows) (Item, error) {
	var length int64
	var replayed, exported mark
	scanned, err := r.schema.UnmarshalMessage(scanAround{rows, []any{&length}, []any{&replayed.at, &replayed.to, &exported.at, &exported.to}})
	if err != nil {
		return Item{}, err
	}
	item, err := fromMessage(scanned.Offset, scanned.Msg)
	if err != nil {
		return Item{}, err
	}
	item.PayloadBytes = length
	if item.Replayed, err = replayed.decode(r.schema); err == nil {
		item.Exported, err = exported.decode(r.schema)
	}
	return item, err
}

// scanAround scans columns before and after those that it is asked for.
type scanAround struct {
	rows          *sql.Rows
	before, after []any
}

func (s scanAround) Scan(dest ...any) error {
	return s.rows.Scan(append(append(s.before, dest...), s.after...)...)
}

// Snapshot returns q limited to items that are there now: what a feed adds
// meanwhile was not meant by whoever chose.
func (r *Reader) Snapshot(ctx context.Context, q Query) (Query, error) {
	where, args := (&Query{}).where(r.schema)
	var last int64
	if err := r.conn.db.QueryRowContext(ctx, r.schema.sql(`SELECT COALESCE(max(i.id), 0) FROM {items} i WHERE `+where), args...).Scan(&last); err != nil {
		return q, r.engine.wrap("read", err)
	}
	if q.Before == 0 || q.Before > last+1 {
		q.Before = last + 1
	}
	return q, nil
}

// RouteCount is how many items a route has.
type RouteCount struct {
	Route    string
	Messages int64
	Bytes    feed.Size
}

// CountByRoute counts the items that q chooses, whatever its limit, by route in
// the order of the names.
func (r *Reader) CountByRoute(ctx context.Context, q Query) ([]RouteCount, error) {
	where, args := q.where(r.schema)
	rows, err := r.conn.db.QueryContext(ctx, r.schema.sql(`SELECT i.route, count(*), CAST(sum(i.bytes) AS BIGINT) FROM {items} i WHERE `+where+` GROUP BY i.route ORDER BY i.route`), args...)
	if err != nil {
		return nil, r.engine.wrap("count", err)
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	var counts []RouteCount
	for rows.Next() {
		var c RouteCount
		err := rows.Scan(&c.Route, &c.Messages, &c.Bytes)
		if err == nil {
			c.Route, err = r.schema.decode(c.Route)
		}
		if err != nil {
			return nil, r.engine.wrap("count", err)
		}
		counts = append(counts, c)
	}
	if err := rows.Err(); err != nil {
		return nil, r.engine.wrap("count", err)
	}
	return counts, nil
}

// FeedCount is how many items a feed has.
type FeedCount struct {
	Feed     string
	Messages int64
	Bytes    feed.Size
}

// Feeds returns all feeds that have used the quarantine, whichever it was opened
// for, in the order of their names.
func (r *Reader) Feeds(ctx context.Context) ([]FeedCount, error) {
	rows, err := r.conn.db.QueryContext(ctx, r.schema.sql(`SELECT feed, messages, bytes FROM {totals}`))
	if err != nil {
		return nil, r.engine.wrap("read", err)
	}
	defer func() { _ = rows.Close() }() // what was read is judged by rows.Err
	var counts []FeedCount
	for rows.Next() {
		var c FeedCount
		err := rows.Scan(&c.Feed, &c.Messages, &c.Bytes)
		if err == nil {
			c.Feed, err = r.schema.decode(c.Feed)
		}
		if err != nil {
			return nil, r.engine.wrap("read", err)
		}
		counts = append(counts, c)
	}
	if err := rows.Err(); err != nil {
		return nil, r.engine.wrap("read", err)
	}
	slices.SortFunc(counts, func(a, b FeedCount) int { return strings.Compare(a.Feed, b.Feed) })
	return counts, nil
}

// Len returns how many items there are.
func (r *Reader) Len(ctx context.Context) (int64, error) {
	h, err := r.totals(ctx)
	return h.messages, err
}

// Bytes returns how many bytes the items count against the bound.
func (r *Reader) Bytes(ctx context.Context) (feed.Size, error) {
	h, err := r.totals(ctx)
	return h.bytes, err
}

func (r *Reader) totals(ctx context.Context) (held, error) {
	h, err := totals(ctx, r.schema, r.conn.db)
	if err != nil {
		return held{}, r.engine.wrap("read", err)
	}
	return h, nil
}

// Close ends all reading. Idempotent.
func (r *Reader) Close() error {
	if err := r.conn.Close(); err != nil {
		return errors.Join(errors.New("close quarantine"), err)
	}
	return nil
}
