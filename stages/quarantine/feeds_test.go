package quarantine

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openBeside opens another feed's store in the database of s. A file has one
// feed at a time, so that s is closed before.
func openBeside(t *testing.T, s *Store, edit func(*Config)) *Store {
	t.Helper()
	if s.config.Path != "" {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c := s.config
	c.Feed = "other"
	edit(&c)
	return reopen(t, c)
}

// TestFeedsKeepApart has two feeds in one database: neither lists, marks, counts
// or removes what the other has.
func TestFeedsKeepApart(t *testing.T) { onBoth(t, testFeedsKeepApart) }

func testFeedsKeepApart(t *testing.T, open opener) {
	first := open(t, func(c *Config) { c.MaxMessages = 5 })
	put(t, first, aged("old", 2*time.Hour), aged("1", 0), aged("2", 0))
	mine, err := first.Bytes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	other := openBeside(t, first, func(c *Config) { c.Retention = Retention{MaxAge: time.Hour, MaxBytes: mine} })
	put(t, other, aged("3", 0), aged("4", 0), aged("5", 0), aged("6", 0)) // one too many for retention
	put(t, other, aged("7", 0))
	if got := chosen(t, other.Reader, Query{}); got != "6 7 8" && got != "7 8" {
		t.Errorf("the other feed has the items %s, want its last", got)
	}
	if n, err := other.Len(t.Context()); err != nil || n > 3 {
		t.Errorf("the other feed counts %d, error %v", n, err)
	}
	e := edit(t, other)
	run := e.Replay("x", "--all")
	if _, err := run.Mark(t.Context(), []int64{2, 8}); err != nil {
		t.Fatal(err)
	}
	if n, _, err := e.Purge(t.Context(), Query{}, "--all", nil); err != nil || n == 0 {
		t.Errorf("%d purged, error %v", n, err)
	}
	if audit, err := other.Audit(t.Context(), 10); err != nil || len(audit) != 3 || audit[1].Feed != "other" || audit[1].Messages != 1 {
		t.Errorf("audit %+v, error %v", audit, err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}

	all, err := OpenReadOnly(t.Context(), Place{Path: first.config.Path, Postgres: first.config.Postgres})
	if err != nil {
		t.Fatal(err)
	}
	defer all.Close()
	if got := chosen(t, all, Query{State: StateWaiting}); got != "1 2 3" {
		t.Errorf("items %s are left, want those of the first feed, unmarked", got)
	}
	if it, err := all.Get(t.Context(), 2); err != nil || it.Feed != testFeed {
		t.Errorf("item of feed %q, error %v", it.Feed, err)
	}
	feeds, err := all.Feeds(t.Context())
	if err != nil || len(feeds) != 2 || feeds[0].Feed != testFeed || feeds[0].Messages != 3 || feeds[1] != (FeedCount{Feed: "other"}) {
		t.Errorf("feeds %+v, error %v", feeds, err)
	}
	first = reopen(t, first.config)
	if audit, err := first.Audit(t.Context(), 10); err != nil || len(audit) != 0 {
		t.Errorf("audit %+v, error %v: it belongs to the other feed", audit, err)
	}
	checkTotals(t, first, 3)
}

func TestEditorOfUnknownFeed(t *testing.T) { onBoth(t, testEditorOfUnknownFeed) }

func testEditorOfUnknownFeed(t *testing.T, open opener) {
	place := open(t, nil).config.Place()
	for name, want := range map[string]string{"line-9": fmt.Sprintf("it knows %q", testFeed), "": "feed: is empty", "\x00": "no name"} {
		place.Feed = name
		e, err := OpenEditor(t.Context(), place)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("feed %q: error %v, want %q", name, err, want)
		}
		if err == nil {
			e.Close()
		}
	}
}

// TestUpgrade opens tables whose items do not tell their feed: they are carried
// over, and the program that knows no feeds is refused.
func TestUpgrade(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		c := configOf(filepath.Join(t.TempDir(), "q.db"))
		db, err := sql.Open("sqlite", dsn(c.Path, "rwc"))
		if err != nil {
			t.Fatal(err)
		}
		testUpgrade(t, c, db, beforeFeedsSQLite)
	})
	t.Run("postgres", func(t *testing.T) {
		c := postgresConfig(t)
		text, err := c.Postgres.URL.Reveal()
		if err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("pgx", text)
		if err != nil {
			t.Fatal(err)
		}
		testUpgrade(t, c, db, beforeFeedsPostgres)
	})
}

const insertBeforeFeeds = `INSERT INTO quarantine (uuid, created_at, route, stage, reason, origin, format, properties, payload, bytes)
	VALUES ('u', '2026-03-01T12:00:00Z', 'r', 's', 'why', 'o', 'f', '{}', 'xyz', 200)`

func testUpgrade(t *testing.T, c Config, db *sql.DB, create string) {
	defer db.Close()
	for _, q := range append(strings.Split(create, "\n;\n"), insertBeforeFeeds, insertBeforeFeeds,
		`INSERT INTO quarantine_audit (action, target, selection, started_at, ended_at, messages, bytes)
			VALUES ('replay', 'x', '--all', '2026-03-01T12:00:00Z', '2026-03-01T12:00:00Z', 1, 200)`,
		`UPDATE quarantine SET replayed = 1 WHERE id = 1`) {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if _, err := OpenReadOnly(t.Context(), c.Place()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "start its feed with this program") {
		t.Errorf("a reader before the upgrade: %v", err)
	}
	if _, err := OpenEditor(t.Context(), c.Place()); !errors.Is(err, ErrForeign) {
		t.Errorf("an editor before the upgrade: %v", err)
	}
	s := reopen(t, c)
	checkTotals(t, s, 2)
	if it, err := s.Get(t.Context(), 1); err != nil || it.Feed != testFeed || string(it.Payload) != "xyz" || it.Replayed.To != "x" {
		t.Errorf("item %+v, error %v", it, err)
	}
	put(t, s, itemOf("new", 1))
	checkTotals(t, s, 3)
	if n, _, err := edit(t, s).Purge(t.Context(), Query{State: StateHandled}, "--all", nil); n != 1 || err != nil {
		t.Errorf("%d purged, error %v", n, err)
	}
	checkTotals(t, s, 2)
	if audit, err := s.Audit(t.Context(), 10); err != nil || len(audit) != 2 || audit[1].Feed != testFeed {
		t.Errorf("audit %+v, error %v", audit, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c.Feed = "other"
	if got := chosen(t, reopen(t, c).Reader, Query{}); got != "" {
		t.Errorf("the next feed has the items %s", got)
	}
	if c.Path == "" {
		if _, err := db.Exec(insertBeforeFeeds); err == nil {
			t.Error("a process of the older version stores items that have no feed")
		}
	}
}

// The tables of version 2.
const (
	beforeFeedsSQLite = `
CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, uuid TEXT NOT NULL, created_at TEXT NOT NULL, route TEXT NOT NULL, stage TEXT NOT NULL,
	reason TEXT NOT NULL, origin TEXT NOT NULL, format TEXT NOT NULL, properties TEXT NOT NULL, payload BLOB NOT NULL, bytes INTEGER NOT NULL,
	replayed INTEGER NOT NULL DEFAULT 0, exported INTEGER NOT NULL DEFAULT 0)
;
CREATE INDEX quarantine_age ON quarantine (created_at)
;
CREATE TABLE quarantine_audit (id INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, target TEXT NOT NULL, selection TEXT NOT NULL,
	started_at TEXT NOT NULL, ended_at TEXT NOT NULL, messages INTEGER NOT NULL, bytes INTEGER NOT NULL)
;
CREATE TABLE quarantine_totals (messages INTEGER NOT NULL, bytes INTEGER NOT NULL, probes INTEGER NOT NULL)
;
INSERT INTO quarantine_totals VALUES (0, 0, 0)
;
CREATE TRIGGER quarantine_inserted AFTER INSERT ON quarantine BEGIN
	UPDATE quarantine_totals SET messages = messages + 1, bytes = bytes + new.bytes;
END
;
CREATE TRIGGER quarantine_deleted AFTER DELETE ON quarantine BEGIN
	UPDATE quarantine_totals SET messages = messages - 1, bytes = bytes - old.bytes;
END
;
PRAGMA application_id = 1717921124
;
PRAGMA user_version = 2
;
PRAGMA journal_mode = WAL`

	beforeFeedsPostgres = `
CREATE TABLE quarantine (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, uuid TEXT NOT NULL, created_at TEXT COLLATE "C" NOT NULL, route TEXT NOT NULL,
	stage TEXT NOT NULL, reason TEXT NOT NULL, origin TEXT NOT NULL, format TEXT NOT NULL, properties TEXT NOT NULL, payload BYTEA NOT NULL, bytes BIGINT NOT NULL,
	replayed BIGINT NOT NULL DEFAULT 0, exported BIGINT NOT NULL DEFAULT 0)
;
CREATE INDEX quarantine_age ON quarantine (created_at)
;
CREATE TABLE quarantine_audit (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, action TEXT NOT NULL, target TEXT NOT NULL, selection TEXT NOT NULL,
	started_at TEXT COLLATE "C" NOT NULL, ended_at TEXT COLLATE "C" NOT NULL, messages BIGINT NOT NULL, bytes BIGINT NOT NULL)
;
CREATE TABLE quarantine_totals (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), messages BIGINT NOT NULL, bytes BIGINT NOT NULL, probes BIGINT NOT NULL, version BIGINT NOT NULL)
;
INSERT INTO quarantine_totals (messages, bytes, probes, version) VALUES (0, 0, 0, 2)
;
CREATE FUNCTION quarantine_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		UPDATE quarantine_totals SET messages = messages + c.n, bytes = quarantine_totals.bytes + c.b FROM (SELECT count(*) AS n, coalesce(sum(changed.bytes), 0) AS b FROM changed) c;
	ELSE
		UPDATE quarantine_totals SET messages = messages - c.n, bytes = quarantine_totals.bytes - c.b FROM (SELECT count(*) AS n, coalesce(sum(changed.bytes), 0) AS b FROM changed) c;
	END IF;
	RETURN NULL;
END $$
;
CREATE TRIGGER quarantine_inserted AFTER INSERT ON quarantine REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION quarantine_count()
;
CREATE TRIGGER quarantine_deleted AFTER DELETE ON quarantine REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION quarantine_count()`
)
