package quarantine

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
)

const (
	// table is the topic that items are published to, and so their table.
	table = "quarantine"
	// applicationID marks a SQLite file as a quarantine: "feed" in ASCII.
	applicationID = 0x66656564
	// schemaVersion counts changes of the tables.
	schemaVersion = 1
)

// Metadata of a message that carries an item. The payload is the message's.
const (
	metaTime       = "created_at"
	metaRoute      = "route"
	metaStage      = "stage"
	metaReason     = "reason"
	metaOrigin     = "origin"
	metaFormat     = "format"
	metaProperties = "properties"
)

// metaColumns are the columns that come from the metadata.
var metaColumns = [...]string{metaTime, metaRoute, metaStage, metaReason, metaOrigin, metaFormat, metaProperties}

// rowOverhead is what a row is taken to cost beyond its texts and payload.
const rowOverhead = 128

// insertRows is how many rows one statement inserts at most, so that its
// parameters stay far below SQLite's limit of 32,766.
const insertRows = 500

// schema adapts watermill-sql to SQLite: a typed column for each property of an
// item, and a row that counts messages and bytes, kept by triggers, so that the
// bounds can be checked without reading the table.
type schema struct{}

var _ wsql.SchemaAdapter = schema{}

func quoted(topic string) string { return `"` + strings.ReplaceAll(topic, `"`, `""`) + `"` }

// SchemaInitializingQueries creates the tables.
func (schema) SchemaInitializingQueries(topic string) []wsql.Query {
	items, totals := quoted(topic), quoted(topic+"_totals")
	queries := []string{
		`CREATE TABLE ` + items + ` (
			id         INTEGER PRIMARY KEY AUTOINCREMENT,
			uuid       TEXT NOT NULL,
			created_at TEXT NOT NULL,
			route      TEXT NOT NULL,
			stage      TEXT NOT NULL,
			reason     TEXT NOT NULL,
			origin     TEXT NOT NULL,
			format     TEXT NOT NULL,
			properties TEXT NOT NULL,
			payload    BLOB NOT NULL,
			bytes      INTEGER NOT NULL
		)`,
		`CREATE TABLE ` + totals + ` (messages INTEGER NOT NULL, bytes INTEGER NOT NULL, probes INTEGER NOT NULL)`,
		`INSERT INTO ` + totals + ` VALUES (0, 0, 0)`,
		`CREATE TRIGGER ` + quoted(topic+"_inserted") + ` AFTER INSERT ON ` + items + ` BEGIN
			UPDATE ` + totals + ` SET messages = messages + 1, bytes = bytes + new.bytes;
		END`,
		`CREATE TRIGGER ` + quoted(topic+"_deleted") + ` AFTER DELETE ON ` + items + ` BEGIN
			UPDATE ` + totals + ` SET messages = messages - 1, bytes = bytes - old.bytes;
		END`,
		`PRAGMA application_id = ` + strconv.Itoa(applicationID),
		`PRAGMA user_version = ` + strconv.Itoa(schemaVersion),
	}
	out := make([]wsql.Query, len(queries))
	for i, q := range queries {
		out[i].Query = q
	}
	return out
}

// InsertQuery inserts one row a message.
func (schema) InsertQuery(topic string, msgs message.Messages) (wsql.Query, error) {
	if len(msgs) == 0 || len(msgs) > insertRows {
		return wsql.Query{}, fmt.Errorf("%d rows in one statement, not 1 to %d", len(msgs), insertRows)
	}
	const columns = 1 + len(metaColumns) + 2
	const row = `(?,?,?,?,?,?,?,?,?,?)`
	args := make([]any, 0, len(msgs)*columns)
	for _, m := range msgs {
		args = append(args, m.UUID)
		for _, c := range metaColumns {
			args = append(args, m.Metadata[c])
		}
		payload := []byte(m.Payload)
		if payload == nil {
			payload = []byte{} // NULL is no payload
		}
		args = append(args, payload, rowBytes(m))
	}
	return wsql.Query{
		Query: `INSERT INTO ` + quoted(topic) + ` (uuid,` + strings.Join(metaColumns[:], ",") + `,payload,bytes) VALUES ` +
			strings.TrimSuffix(strings.Repeat(row+",", len(msgs)), ","),
		Args: args,
	}, nil
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
const rowColumns = `id, uuid, created_at, route, stage, reason, origin, format, properties, payload`

// SelectQuery reads on from the offset that the adapter names.
func (schema) SelectQuery(topic, consumerGroup string, offsets wsql.OffsetsAdapter) wsql.Query {
	next := offsets.NextOffsetQuery(topic, consumerGroup)
	return wsql.Query{
		Query: `SELECT ` + rowColumns + ` FROM ` + quoted(topic) + ` WHERE id > COALESCE((` + next.Query + `), 0) ORDER BY id LIMIT 100`,
		Args:  next.Args,
	}
}

// UnmarshalMessage scans rowColumns.
func (schema) UnmarshalMessage(row wsql.Scanner) (wsql.Row, error) {
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
		r.Msg.Metadata[c] = meta[i]
	}
	return r, nil
}

// SubscribeIsolationLevel is SQLite's only one.
func (schema) SubscribeIsolationLevel() sql.IsolationLevel { return sql.LevelSerializable }
