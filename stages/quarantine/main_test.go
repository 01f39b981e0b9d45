package quarantine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// testFeed is the feed of the stores in tests. Its name wants to be quoted.
const testFeed = "line 'one' {items}"

// configOf returns the configuration of a store in a file.
func configOf(path string) Config {
	c := DefaultConfig()
	c.Feed, c.Path = testFeed, path
	return c
}

// childEnv makes the test binary a writer that never ends by itself.
const childEnv = "QUARANTINE_TEST_WRITE_TO"

func TestMain(m *testing.M) {
	if path, child := os.LookupEnv(childEnv); child {
		fmt.Fprintln(os.Stderr, writeForever(path))
		os.Exit(1)
	}
	goleak.VerifyTestMain(m)
}

// writeForever puts items, one after the other, and prints the number of each
// as soon as Put has returned nil.
func writeForever(path string) error {
	c := configOf(path)
	s, err := Open(context.Background(), c)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		item := feed.QuarantineItem{Route: "child", Reason: strconv.Itoa(i)}
		item.Payload = make([]byte, 5000)
		if err := s.Put(context.Background(), []feed.QuarantineItem{item}); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}

// opener opens a new store with a configuration that edit has changed, and
// closes it after the test.
type opener func(t testing.TB, edit func(*Config)) *Store

// open opens a store in a file in a directory of its own.
func open(t testing.TB, edit func(*Config)) *Store {
	t.Helper()
	c := configOf(filepath.Join(t.TempDir(), "state", "quarantine 100%?#.db"))
	if edit != nil {
		edit(&c)
	}
	return reopen(t, c)
}

// openPostgres opens a store in a database of its own.
func openPostgres(t testing.TB, edit func(*Config)) *Store {
	t.Helper()
	c := configOf("")
	c.Postgres.URL = feed.NewURL(testenv.PostgreSQL(t).URL())
	if edit != nil {
		edit(&c)
	}
	return reopen(t, c)
}

// reopen opens a store and closes it after the test.
func reopen(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// onBoth runs a test on a file and on a database.
func onBoth(t *testing.T, test func(*testing.T, opener)) {
	t.Run("sqlite", func(t *testing.T) { test(t, open) })
	t.Run("postgres", func(t *testing.T) { test(t, openPostgres) })
}

// edit opens the editor of a store's quarantine and closes it after the test.
func edit(t testing.TB, s *Store) *Editor {
	t.Helper()
	e, err := OpenEditor(t.Context(), s.config.Place())
	if err != nil {
		t.Fatalf("open editor: %v", err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("close editor: %v", err)
		}
	})
	return e
}
