package filelock_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/internal/filelock"
)

// A lock has one owner, whom others are told, until it is closed.
func TestTake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Take(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = filelock.Take(path)
	if !errors.Is(err, filelock.ErrTaken) || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a lock that is taken was taken: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := filelock.Take(path)
	if err != nil {
		t.Fatalf("after close: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := filelock.Take(filepath.Join(path, "below")); err == nil || errors.Is(err, filelock.ErrTaken) {
		t.Errorf("a path that cannot be: %v", err)
	}
}
