package filelock_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/kraft-edge/datafeed/internal/filelock"
)

func TestOneHasTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.Take(path); !errors.Is(err, filelock.ErrTaken) {
		t.Errorf("a second one: %v, want ErrTaken", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := filelock.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.Take(filepath.Join(path, "below")); err == nil || errors.Is(err, filelock.ErrTaken) {
		t.Errorf("a path that cannot be: %v", err)
	}
}
