package testenv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/testenv/share"
)

// startTimeout bounds how long a test waits for a server, which may have to be started.
const startTimeout = 3 * time.Minute

// needServers skips the test in a short run.
func needServers(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs real servers, which a -short run does not start")
	}
}

// within returns a context that ends after d. It does not end with the test, as cleaning up comes after that.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	t.Cleanup(cancel)
	return ctx
}

// check fails the test at once when err is not nil.
func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
}

// root returns the directory of go.mod. Tests run in the directory of their package.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	check(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			t.Fatal("testenv: no go.mod in the working directory or above it")
		}
		dir = parent
	}
}

// acquire holds a shared server until the test ends.
func acquire(t testing.TB, name string) share.Grant {
	t.Helper()
	lease, err := share.Acquire(within(t, startTimeout), root(t), "", name)
	check(t, err)
	t.Cleanup(func() {
		if err := lease.Close(); err != nil {
			t.Errorf("testenv: %v", err)
		}
	})
	return lease.Grant
}

// private is a server that belongs to one test.
type private interface {
	Start(context.Context) error
	Close() error
}

// start prepares a server and starts it, and closes it when the test ends. A port that was free can be taken before the
// server listens: then others are tried.
func start[S private](t testing.TB, prepare func(dir string) (S, error)) S {
	t.Helper()
	for attempt := 1; ; attempt++ {
		// Unlike t.TempDir, this has a short path, as some servers need, and Close removes it.
		dir, err := os.MkdirTemp("", "datafeed-test-") //nolint:usetesting // see above
		check(t, err)
		s, err := prepare(dir)
		if err != nil {
			check(t, errors.Join(err, os.RemoveAll(dir)))
		}
		if err = s.Start(within(t, startTimeout)); err == nil {
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("testenv: %v", err)
				}
			})
			return s
		}
		err = errors.Join(err, s.Close())
		if !server.IsPortTaken(err) || attempt == 3 {
			check(t, err)
		}
	}
}
