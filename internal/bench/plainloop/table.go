package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// row is a reading as it is stored.
type row struct {
	place
	Time    time.Time       `json:"ts"`
	Value   json.RawMessage `json:"value"`
	Quality string          `json:"quality"`
	Seq     int64           `json:"seq"`
}

// table is where readings are stored, each once.
type table struct{ conn *pgx.Conn }

// schema is made when the loop starts. A reading that comes again changes
// nothing.
const schema = `
CREATE SCHEMA IF NOT EXISTS telemetry;
CREATE TABLE IF NOT EXISTS telemetry.readings (
	device text, tag text, ts timestamptz, seq bigint, site text, line text, value jsonb, quality text,
	PRIMARY KEY (device, tag, ts, seq)
);
CREATE TEMPORARY TABLE arriving (LIKE telemetry.readings) ON COMMIT DELETE ROWS`

func openTable(ctx context.Context) (*table, error) {
	conn, err := pgx.Connect(ctx, os.Getenv("POSTGRES_URL"))
	if err != nil {
		return nil, fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	t := &table{conn: conn}
	if _, err := conn.Exec(ctx, schema); err != nil {
		t.close()
		return nil, fmt.Errorf("make the table: %w", err)
	}
	return t, nil
}

// store commits readings. They are copied, which costs a client least; a copy
// knows no repetitions, so that it goes to a table of this connection first.
func (t *table) store(ctx context.Context, rows []row) error {
	err := pgx.BeginFunc(ctx, t.conn, func(tx pgx.Tx) error {
		columns := []string{"device", "tag", "ts", "seq", "site", "line", "value", "quality"}
		_, err := tx.CopyFrom(ctx, pgx.Identifier{"arriving"}, columns, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
			r := &rows[i]
			return []any{r.Device, r.Tag, r.Time, r.Seq, r.Site, r.Line, r.Value, r.Quality}, nil
		}))
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "INSERT INTO telemetry.readings SELECT * FROM arriving ON CONFLICT DO NOTHING")
		return err
	})
	if err != nil {
		return fmt.Errorf("store %d readings: %w", len(rows), err)
	}
	return nil
}

func (t *table) close() { _ = t.conn.Close(context.Background()) } // what was committed is stored
