package quarantine

import (
	"testing"

	wsql "github.com/ThreeDotsLabs/watermill-sql/v3/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// fixedOffset is an offsets adapter that always reads on from one id.
type fixedOffset struct {
	wsql.OffsetsAdapter
	id int64
}

func (o fixedOffset) NextOffsetQuery(string, string) wsql.Query {
	return wsql.Query{Query: `SELECT CAST($1 AS BIGINT)`, Args: []any{o.id}}
}

// TestSelectQuery reads rows the way watermill-sql's subscriber does.
func TestSelectQuery(t *testing.T) { onBoth(t, testSelectQuery) }

func testSelectQuery(t *testing.T, open opener) {
	s := open(t, nil)
	for _, reason := range []string{"one", "two", "three"} {
		if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf(reason, 2)}); err != nil {
			t.Fatal(err)
		}
	}
	q := s.schema.SelectQuery(s.schema.table, "group", fixedOffset{id: 1})
	rows, err := s.conn.db.Query(q.Query, q.Args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var reasons []string
	for rows.Next() {
		row, err := s.schema.UnmarshalMessage(rows)
		if err != nil {
			t.Fatal(err)
		}
		if string(row.Msg.Payload) != "xx" {
			t.Errorf("payload %q", row.Msg.Payload)
		}
		reasons = append(reasons, row.Msg.Metadata[metaReason])
	}
	if err := rows.Err(); err != nil || len(reasons) != 2 || reasons[0] != "two" || reasons[1] != "three" {
		t.Errorf("reasons %q, error %v", reasons, err)
	}
}

func TestInsertQueryBounds(t *testing.T) {
	for _, n := range []int{0, insertRows + 1} {
		if _, err := (schema{dialect: sqliteDialect}).InsertQuery("", make(message.Messages, n)); err == nil {
			t.Errorf("a statement of %d rows was made", n)
		}
	}
}
