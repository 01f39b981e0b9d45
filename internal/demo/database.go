package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/pgurl"
	"github.com/kraft-edge/datafeed/stages/postgres"
)

// dropWithin bounds how long the schema may take to go.
const dropWithin = 30 * time.Second

// database is a schema of the demo's own in a PostgreSQL that is given.
type database struct {
	url    string
	schema string
}

// newDatabase names a schema unlike any other. It does no I/O.
func newDatabase(text string) (*database, error) {
	u, err := pgurl.WithTLS(text) // as the stage does
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("--postgres: not a URL such as postgres://user:password@host:5432/database")
	}
	return &database{url: u.String(), schema: "feed_demo_" + strings.ToLower(rand.Text()[:8])}, nil
}

// connect connects. Its errors do not show the password.
func (d *database) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return nil, fmt.Errorf("--postgres: connect to %s: %w", feed.NewURL(d.url), pgurl.Explain(err))
	}
	return conn, nil
}

// check reports whether the database can be reached.
func (d *database) check(ctx context.Context) error {
	conn, err := d.connect(ctx)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// remove drops the schema with all that is in it.
func (d *database) remove() error {
	ctx, cancel := context.WithTimeout(context.Background(), dropWithin)
	defer cancel()
	conn, err := d.connect(ctx)
	if err != nil {
		return fmt.Errorf("drop schema %s: %w", d.schema, err)
	}
	defer conn.Close(ctx) //nolint:errcheck // what was dropped is dropped
	if _, err := conn.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{d.schema}.Sanitize()+" CASCADE"); err != nil {
		return fmt.Errorf("drop schema %s: %w", d.schema, err)
	}
	return nil
}

// read records what is stored.
func (d *database) read(ctx context.Context, to *arrivals) (err error) {
	c := postgres.DefaultConfig()
	c.URL, c.Schema = feed.NewURL(d.url), d.schema
	r, err := postgres.OpenReader(ctx, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for row, err := range r.Readings(ctx, postgres.Query{}) {
		if err != nil {
			return err
		}
		to.add(row)
	}
	return nil
}
