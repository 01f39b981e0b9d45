package quarantine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

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
	if _, err := Open(t.Context(), c); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), "use the program that wrote it") {
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
