package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// databaseDestination is PostgreSQL with a new database for each run, which is
// read after it, whether it was witnessed or not.
type databaseDestination struct {
	server *server.PostgreSQL
	runs   int
}

func (d *databaseDestination) name() string { return fmt.Sprintf("run_%d", d.runs) }

func (d *databaseDestination) url(database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(d.server.User, d.server.Password), Host: d.server.Addr(),
		Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (d *databaseDestination) env() []string { return []string{"POSTGRES_URL=" + d.url(d.name())} }

func (d *databaseDestination) prepare(ctx context.Context, _ bool) error {
	d.runs++
	return d.on(ctx, "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+d.name())
		return err
	})
}

// check reads what both contenders call readings: a table, or a view.
func (d *databaseDestination) check(ctx context.Context, p *published) error {
	arrived := witness.NewTally()
	err := d.on(ctx, d.name(), func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, "SELECT device, seq::bigint FROM telemetry.readings")
		if err != nil {
			return err
		}
		var device string
		var seq int64
		_, err = pgx.ForEachRow(rows, []any{&device, &seq}, func() error {
			arrived.Add(device, uint64(seq))
			return nil
		})
		return err
	})
	if err != nil {
		return err
	}
	err = d.on(ctx, "postgres", func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE "+d.name()+" WITH (FORCE)")
		return err
	})
	if err != nil {
		return err
	}
	return p.compare(arrived)
}

// version returns the server's version.
func (d *databaseDestination) version(ctx context.Context) (version string, err error) {
	err = d.on(ctx, "postgres", func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SHOW server_version").Scan(&version)
	})
	return version, err
}

// on does something with a connection to a database.
func (d *databaseDestination) on(ctx context.Context, database string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, d.url(database))
	if err == nil {
		err = errors.Join(do(conn), conn.Close(ctx))
	}
	if err != nil {
		return fmt.Errorf("PostgreSQL, database %s: %w", database, err)
	}
	return nil
}

func (d *databaseDestination) close() error { return nil }
