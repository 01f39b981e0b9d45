package quarantine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
)

// schemaVersion counts changes of the tables.
const schemaVersion = 3

// upgradable is the version of tables that a feed carries over when it opens
// them: their items do not tell their feed, and become its own.
const upgradable = 2

// Metadata of a message that carries an item. The payload is the message's.
const (
	metaTime       = "created_at"
	metaFeed       = "feed"
	metaRoute      = "route"
	metaStage      = "stage"
	metaReason     = "reason"
	metaOrigin     = "origin"
	metaFormat     = "format"
	metaProperties = "properties"
)

// metaColumns are the columns that come from the metadata.
var metaColumns = [...]string{metaTime, metaFeed, metaRoute, metaStage, metaReason, metaOrigin, metaFormat, metaProperties}

// rowOverhead is what a row is taken to cost beyond its texts and payload.
const rowOverhead = 128

// insertRows is how many rows one statement inserts at most, so that its
// parameters stay far below the limits: 32,766 in SQLite, 65,535 in PostgreSQL.
const insertRows = 500

// schema adapts watermill-sql to a quarantine: a typed column for each property
// of an item, a row for each feed that counts messages and bytes, kept by
// triggers, so that the bounds can be checked without reading the table, and a
// table of what was done with the items.
type schema struct {
	table string
	feed  string // empty: all feeds
	dialect
}

// dialect is what differs between the databases in SQL.
type dialect struct {
	create    string              // statements, each ended by a line with a semicolon alone
	upgrade   string              // the same, for tables of the version upgradable
	parameter func(n int) string  // the n-th of a statement, from 1
	lock      string              // ends a query for the totals that keeps other writers away
	contains  string              // the function that finds a text in a text
	empty     string              // no bytes, as a literal
	encode    func(string) string // how a text stands in its column
	decode    func(string) (string, error)
}

var _ wsql.SchemaAdapter = schema{}

// sql puts the names of the tables, and what differs, into a statement.
func (s schema) sql(statement string) string {
	return strings.NewReplacer(
		"{items}", `"`+s.table+`"`, "{totals}", `"`+s.table+`_totals"`, "{audit}", `"`+s.table+`_audit"`,
		"{table}", s.table, "{version}", strconv.Itoa(schemaVersion), "{lock}", s.lock, "{contains}", s.contains,
	).Replace(statement)
}

// owner is the feed as it stands in its columns.
func (s schema) owner() string { return s.encode(s.feed) }

// SchemaInitializingQueries creates the tables.
func (s schema) SchemaInitializingQueries(string) []wsql.Query { return s.statements(s.create) }

func (s schema) statements(all string) []wsql.Query {
	var queries []wsql.Query
	for q := range strings.SplitSeq(all, "\n;\n") {
		queries = append(queries, wsql.Query{Query: s.sql(q)})
	}
	return queries
}

// ensure creates or upgrades the tables, unless they are of this version, and
// enters the feed.
func (s schema) ensure(ctx context.Context, tx *sql.Tx, version int64) error {
	var missing []wsql.Query
	switch version {
	case schemaVersion:
	case upgradable:
		missing = s.statements(s.upgrade)
		for i := range missing { // no parameter can stand in a default
			missing[i].Query = strings.ReplaceAll(missing[i].Query, "{feed}", "'"+strings.ReplaceAll(s.owner(), "'", "''")+"'")
		}
	default:
		missing = s.SchemaInitializingQueries(s.table)
	}
	missing = append(missing, wsql.Query{Query: s.sql(`INSERT INTO {totals} (feed, messages, bytes, probes) VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING`), Args: []any{s.owner()}})
	for _, q := range missing {
		if _, err := tx.ExecContext(ctx, q.Query, q.Args...); err != nil {
			return err
		}
	}
	return nil
}

// InsertQuery inserts one row a message.
func (s schema) InsertQuery(_ string, msgs message.Messages) (wsql.Query, error) {
	if len(msgs) == 0 || len(msgs) > insertRows {
		return wsql.Query{}, fmt.Errorf("%d rows in one statement, not 1 to %d", len(msgs), insertRows)
	}
	const columns = 1 + len(metaColumns) + 2
	var q strings.Builder
	q.WriteString(s.sql(`INSERT INTO {items} (uuid,`) + strings.Join(metaColumns[:], ",") + `,payload,bytes) VALUES `)
	args := make([]any, 0, len(msgs)*columns)
	for i, m := range msgs {
		args = append(args, m.UUID)
		for _, c := range metaColumns {
			args = append(args, s.encode(m.Metadata[c]))
		}
		payload := []byte(m.Payload)
		if payload == nil {
			payload = []byte{} // NULL is no payload
		}
		args = append(args, payload, rowBytes(m))
		if i > 0 {
			q.WriteByte(',')
		}
		before := byte('(')
		for n := i*columns + 1; n <= len(args); n++ {
			q.WriteByte(before)
			q.WriteString(s.parameter(n))
			before = ','
		}
		q.WriteByte(')')
	}
	return wsql.Query{Query: q.String(), Args: args}, nil
}

// rowBytes is what a message counts against the bound on bytes.
func rowBytes(m *message.Message) int64 {
	n := rowOverhead + len(m.Payload)
	for _, c := range metaColumns {
		n += len(m.Metadata[c])
	}
	return int64(n)
}

// rowColumns are what UnmarshalMessage scans, in its order.
const rowColumns = `i.id, i.uuid, i.created_at, i.feed, i.route, i.stage, i.reason, i.origin, i.format, i.properties, i.payload`

// SelectQuery reads on from the offset that the adapter names.
func (s schema) SelectQuery(topic, consumerGroup string, offsets wsql.OffsetsAdapter) wsql.Query {
	next := offsets.NextOffsetQuery(topic, consumerGroup)
	own := "$" + strconv.Itoa(len(next.Args)+1)
	return wsql.Query{
		Query: s.sql(`SELECT ` + rowColumns + ` FROM {items} i WHERE i.id > COALESCE((` + next.Query + `), 0) AND i.feed = ` + own + ` ORDER BY i.id LIMIT 100`),
		Args:  append(slices.Clone(next.Args), s.owner()),
	}
}

// UnmarshalMessage scans rowColumns.
func (s schema) UnmarshalMessage(row wsql.Scanner) (wsql.Row, error) {
	var r wsql.Row
	var meta [len(metaColumns)]string
	dest := []any{&r.Offset, &r.UUID}
	for i := range meta {
		dest = append(dest, &meta[i])
	}
	if err := row.Scan(append(dest, &r.Payload)...); err != nil {
		return wsql.Row{}, fmt.Errorf("scan row: %w", err)
	}
	if r.Offset <= 0 {
		return wsql.Row{}, errors.New("scan row: the id is not positive")
	}
	r.Msg = message.NewMessage(string(r.UUID), r.Payload)
	for i, c := range metaColumns {
		text, err := s.decode(meta[i])
		if err != nil {
			return wsql.Row{}, fmt.Errorf("scan row %d: column %s: %w", r.Offset, c, err)
		}
		r.Msg.Metadata[c] = text
	}
	return r, nil
}

// SubscribeIsolationLevel is SQLite's only one, and safe everywhere.
func (schema) SubscribeIsolationLevel() sql.IsolationLevel { return sql.LevelSerializable }
