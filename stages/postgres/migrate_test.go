package postgres

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestMigrateAtOnce: of several feeds that start at the same time one makes the
// tables.
func TestMigrateAtOnce(t *testing.T) {
	c := configOf(testenv.PostgreSQL(t).URL())
	var wg sync.WaitGroup
	for i := range 8 {
		s := openSink(t, c)
		wg.Go(func() {
			if err := publish(context.WithoutCancel(t.Context()), s, series50(i*10, 10)...); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	checkStored(t, c, series50(0, 80)...)
}

// stays checks that publishing fails, not for ever, and why.
func stays(t *testing.T, c Config, want string) {
	t.Helper()
	err := publish(t.Context(), openSink(t, c), series50(0, 10)...)
	if err == nil || feed.IsPermanent(err) || errors.As(err, new(*feed.BatchError)) || !strings.Contains(err.Error(), want) {
		t.Errorf("publish: %v, want %q", err, want)
	}
}

func TestForeignSchemas(t *testing.T) {
	c := configOf(testenv.PostgreSQL(t).URL())
	mustPublish(t, openSink(t, c), series50(0, 1)...)
	exec(t, c, `INSERT INTO schema_versions (version) VALUES (2); CREATE SCHEMA theirs; CREATE TABLE theirs.points (x int)`)
	stays(t, c, "the schema has version 2, and this program knows 1: use the program that made it")
	if _, err := OpenReader(t.Context(), c); err == nil || !strings.Contains(err.Error(), "use the program that made it") {
		t.Errorf("open reader: %v", err)
	}
	c.Schema = "theirs"
	stays(t, c, "choose another schema")
	c.Schema = "none"
	if _, err := OpenReader(t.Context(), c); err == nil || !strings.Contains(err.Error(), "has version 0") {
		t.Errorf("open reader: %v", err)
	}
}

// documented returns the part of docs/postgres.md that begins and ends with texts.
func documented(t *testing.T, from, to string) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), from)
	part, _, end := strings.Cut(rest, to)
	if !ok || !end {
		t.Fatalf("docs/postgres.md has no %q … %q", from, to)
	}
	return from + part
}

// TestWithoutRights: the owner makes the tables, and the feed may do no more than
// it needs.
func TestWithoutRights(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivatePostgreSQL(t)
	c := configOf(server.URL())
	exec(t, c, `CREATE ROLE feed LOGIN PASSWORD 'of feed'`)
	feedConfig := configOf("postgres://feed@" + server.Addr + "/postgres?sslmode=disable")
	feedConfig.Password = feed.NewSecret("of feed")
	stays(t, feedConfig, "grant what docs/postgres.md lists")
	feedConfig.Migrate = false
	stays(t, feedConfig, "let the owner of the database run the statements of docs/postgres.md")
	// As psql does, with the file of the repository.
	file, err := os.ReadFile("migrations/0001_points.sql")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, c, "CREATE SCHEMA telemetry; SET LOCAL search_path TO telemetry, pg_temp;"+string(file))
	stays(t, feedConfig, "grant what docs/postgres.md lists")
	exec(t, c, documented(t, "GRANT USAGE", "```"))
	feedConfig.Retention = 2 * day
	s := openSink(t, feedConfig)
	mustPublish(t, s, series50(0, 100)...)
	mustPublish(t, s, append(series50(0, 100), at(noon.Add(-2*day), 1000))...)
	later := noon.Add(4 * day)
	s.now = func() time.Time { return later }
	mustPublish(t, s, at(later, 1001))
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	checkStored(t, c, at(later, 1001))
	if err := deny(t, feedConfig, `DROP TABLE telemetry.points`); err == nil {
		t.Error("the feed may drop the table")
	}
}

func TestSQL(t *testing.T) {
	sql, err := SQL("history")
	if err != nil {
		t.Fatal(err)
	}
	c := configOf(testenv.PostgreSQL(t).URL())
	exec(t, c, sql)
	c.Schema, c.Migrate = "history", false
	mustPublish(t, openSink(t, c), series50(0, 10)...)
	checkStored(t, c, series50(0, 10)...)
	if _, err := SQL(`x"; DROP`); err == nil {
		t.Error("a name that is none is taken")
	}
}

// deny runs a statement as the user of a configuration.
func deny(t *testing.T, c Config, sql string) error {
	t.Helper()
	s, err := connect(t.Context(), &c, readWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	_, err = s.conn.Exec(t.Context(), sql)
	return err
}

// TestCommits: the server writes a commit through, whatever its own setting is,
// which is off in tests.
func TestCommits(t *testing.T) {
	s := newSink(t, nil)
	mustPublish(t, s, series50(0, 1)...)
	var commit string
	if err := s.writer.session.conn.QueryRow(t.Context(), `SHOW synchronous_commit`).Scan(&commit); err != nil || commit != "on" {
		t.Errorf("synchronous_commit is %s, %v", commit, err)
	}
	r := openReader(t, s.config)
	if _, err := r.session.conn.Exec(t.Context(), `DELETE FROM points`); err == nil {
		t.Error("a reader may delete")
	}
}

// TestEncoding: a database that cannot hold all texts is refused at once.
func TestEncoding(t *testing.T) {
	server := testenv.PrivatePostgreSQL(t)
	conn, err := pgx.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), `CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0`); err != nil {
		t.Fatal(err)
	}
	server.Name = "latin"
	stays(t, configOf(server.URL()), "make one with ENCODING 'UTF8'")
}
