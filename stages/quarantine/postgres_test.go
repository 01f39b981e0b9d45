package quarantine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// postgresConfig returns the configuration of a store in a fresh database.
func postgresConfig(t *testing.T) Config {
	t.Helper()
	c := configOf("")
	c.Postgres.URL = feed.NewURL(testenv.PostgreSQL(t).URL())
	return c
}

// TestPostgresIsDurable checks that a Put waits for the disk although the
// server's own setting, as in the tests, does not.
func TestPostgresIsDurable(t *testing.T) {
	s := reopen(t, postgresConfig(t))
	for _, tt := range []struct {
		name string
		db   querier
		want string
	}{{"synchronous_commit", s.conn.db, "on"}, {"default_transaction_read_only", s.Reader.conn.db, "on"}} {
		var got string
		if err := tt.db.QueryRowContext(t.Context(), `SELECT current_setting($1)`, tt.name).Scan(&got); err != nil || got != tt.want {
			t.Errorf("%s is %q, error %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

// TestLockOfTheLost checks that the server ends the session of an editor that is
// gone without a word within half a minute.
func TestLockOfTheLost(t *testing.T) {
	lock, ok := edit(t, reopen(t, postgresConfig(t))).conn.lock.(*advisoryLock)
	if !ok {
		t.Fatal("no advisory lock")
	}
	number := map[string]int{}
	for _, name := range []string{"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout"} {
		var n int
		if err := lock.holder.QueryRowContext(t.Context(), `SELECT setting::int FROM pg_settings WHERE name = $1`, name).Scan(&n); err != nil || n == 0 {
			t.Fatalf("%s is %d, error %v", name, n, err)
		}
		number[name] = n
	}
	if s := number["tcp_keepalives_idle"] + number["tcp_keepalives_interval"]*number["tcp_keepalives_count"]; s > 30 || number["tcp_user_timeout"] > 30_000 {
		t.Errorf("a session that is lost lasts %d s, %d ms", s, number["tcp_user_timeout"])
	}
}

// TestPostgresIsShared opens one table several times at once: one makes it, and
// the bound holds for all of them together.
func TestPostgresIsShared(t *testing.T) {
	c := postgresConfig(t)
	c.MaxMessages = 30
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored := 0
	for range 8 {
		wg.Go(func() {
			s, err := Open(context.WithoutCancel(t.Context()), c)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			for range 5 {
				err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1)})
				if err != nil && !errors.Is(err, ErrFull) {
					t.Error(err)
				}
				mu.Lock()
				if err == nil {
					stored++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if stored != 30 {
		t.Errorf("%d stored, want 30", stored)
	}
	checkTotals(t, reopen(t, c), 30)
}

func TestPostgresTables(t *testing.T) {
	c := postgresConfig(t)
	one := reopen(t, c)
	put(t, one, itemOf("one", 1))
	c.Postgres.Table = "other"
	other := reopen(t, c)
	checkTotals(t, one, 1)
	checkOther(t, other, 0)
	if _, err := one.conn.db.Exec(`UPDATE other_totals SET version = version + 1`); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), c); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "use the program that wrote it, or move it away, or give another path or table") {
		t.Errorf("a table of a newer version: %v", err)
	}
	if _, err := one.conn.db.Exec(`CREATE TABLE theirs (x int)`); err != nil {
		t.Fatal(err)
	}
	c.Postgres.Table = "theirs"
	if _, err := Open(t.Context(), c); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "choose another table") {
		t.Errorf("a table of another application: %v", err)
	}
	c.Postgres.Table = "none"
	if _, err := OpenReadOnly(t.Context(), c.Place()); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "does not exist yet") {
		t.Errorf("a table that is not there: %v", err)
	}
}

func checkOther(t *testing.T, s *Store, want int64) {
	t.Helper()
	if n, err := s.Len(t.Context()); err != nil || n != want {
		t.Errorf("%d items, error %v, want %d", n, err, want)
	}
}

func TestPostgresIsGone(t *testing.T) {
	c := configOf("")
	c.Postgres.URL = feed.NewURL("postgres://user:canary@127.0.0.1:1/db?sslmode=disable&x-canary=1")
	_, err := Open(t.Context(), c)
	if err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("error %v: it must say what is wrong, and no password", err)
	}
}

// TestTLS: without a word about it the server must prove who it is.
func TestTLS(t *testing.T) {
	t.Setenv("PGSSLMODE", "disable")
	at := func(text string) Place {
		return Place{Postgres: Postgres{URL: feed.NewURL(text), Table: DefaultTable}, Feed: testFeed}
	}
	c, err := newPostgres(at("postgres://u@db.example/d?connect_timeout=3").Postgres, testFeed).config()
	if err != nil {
		t.Fatal(err)
	}
	if c.TLSConfig == nil || c.TLSConfig.InsecureSkipVerify || c.TLSConfig.ServerName != "db.example" || len(c.Fallbacks) > 0 || c.ConnectTimeout != 3*time.Second {
		t.Errorf("TLS %+v, and %d other ways, timeout %v", c.TLSConfig, len(c.Fallbacks), c.ConnectTimeout)
	}
	if c, err := newPostgres(at("postgres://u@db.example/d?sslmode=disable").Postgres, testFeed).config(); err != nil || c.TLSConfig != nil {
		t.Errorf("TLS %+v, %v, want none", c.TLSConfig, err)
	}
	_, err = OpenReadOnly(t.Context(), at(strings.TrimSuffix(testenv.PostgreSQL(t).URL(), "?sslmode=disable")))
	if err == nil || !strings.Contains(err.Error(), "write ?sslmode=disable") {
		t.Errorf("opened without TLS: %v", err)
	}
}

func TestPostgresIsValidated(t *testing.T) {
	for name, tt := range map[string]struct {
		place Place
		want  string
	}{
		"both":   {Place{Path: "x", Postgres: Postgres{URL: feed.NewURL("postgres://h/d"), Table: "q"}}, "postgres: stands beside path"},
		"scheme": {Place{Postgres: Postgres{URL: feed.NewURL("mysql://h/d"), Table: "q"}}, "postgres.url: is no address"},
		"table":  {Place{Postgres: Postgres{URL: feed.NewURL("postgres://h/d"), Table: `q"; DROP`}}, "postgres.table: "},
	} {
		if _, err := OpenReadOnly(t.Context(), tt.place); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestTexts(t *testing.T) {
	for _, text := range []string{"", "plain", "ümlaut", "zero\x00", "\xff", "base64:", "base64:AA=="} {
		coded := encodeText(text)
		if got, err := decodeText(coded); got != text || err != nil {
			t.Errorf("%q became %q and %q, error %v", text, coded, got, err)
		}
		if strings.ContainsRune(coded, 0) {
			t.Errorf("%q has a zero byte", coded)
		}
	}
}

// endEditors makes the database end the connections that hold an editor's lock.
func endEditors(t *testing.T, s *Store) {
	t.Helper()
	var n int
	if err := s.conn.db.QueryRow(`SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d connections ended, error %v, want 1", n, err)
	}
}

// TestLockIsLost checks that an editor whose lock went with its connection marks
// nothing before it has the lock again, and ends when somebody else has it.
func TestLockIsLost(t *testing.T) {
	s := reopen(t, postgresConfig(t))
	fill(t, s, 3)
	first := edit(t, s)
	first.waits = nil // the first try takes the lock again
	run := first.Replay("x", "first")
	mark := func(id int64) error {
		_, err := run.Mark(t.Context(), []int64{id})
		return err
	}
	if err := mark(1); err != nil {
		t.Fatal(err)
	}
	endEditors(t, s)
	if err := mark(2); err != nil {
		t.Errorf("the lock was free: %v", err)
	}
	if other, err := OpenEditor(t.Context(), s.config.Place()); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "half a minute") {
		t.Errorf("a second editor, when the first has its lock again: %v", err)
		if err == nil {
			other.Close()
		}
	}
	endEditors(t, s)
	second := edit(t, s)
	if err := mark(3); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "lost") {
		t.Errorf("marked while somebody else has the lock: %v", err)
	}
	if got := chosen(t, s.Reader, Query{State: StateUnreplayed}); got != "3" {
		t.Errorf("items %s are not marked, want 3", got)
	}
	if _, err := second.Replay("x", "second").Mark(t.Context(), []int64{3}); err != nil {
		t.Error(err)
	}
	audit, err := s.Audit(t.Context(), 10)
	if err != nil || len(audit) != 2 || audit[1].Messages != 2 || audit[0].Messages != 1 {
		t.Errorf("audit %+v, error %v", audit, err)
	}
}

// TestFeedsLockApart checks that two feeds are edited at a time.
func TestFeedsLockApart(t *testing.T) {
	s := reopen(t, postgresConfig(t))
	c := s.config
	c.Feed = "other"
	edit(t, s)
	edit(t, reopen(t, c))
}
