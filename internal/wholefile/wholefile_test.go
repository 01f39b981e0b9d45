package wholefile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/kraft-edge/datafeed/internal/wholefile"
)

// files returns the names in a directory, and what they have.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func has(t *testing.T, dir, content string) {
	t.Helper()
	if all := files(t, dir); len(all) != 1 || all["state"] != content {
		t.Errorf("the directory has %q, want state with %q alone", all, content)
	}
}

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// A file has what was written as a whole, with its mode, and what it had before when
// writing fails.
func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := wholefile.Write(path, 0o600, text("old")); err != nil {
		t.Fatal(err)
	}
	has(t, dir, "old")
	failure := errors.New("no more")
	err := wholefile.Write(path, 0o600, func(w io.Writer) error { return errors.Join(text("half")(w), failure) })
	if !errors.Is(err, failure) {
		t.Errorf("content that fails: %v, want %v", err, failure)
	}
	has(t, dir, "old")
	if err := wholefile.Write(path, 0o644, text("new")); err != nil {
		t.Fatal(err)
	}
	has(t, dir, "new")
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("the file is %v, %v; want mode 0644", info.Mode(), err)
	}
}

// Until it is committed nothing stands at the path, and nothing is left of what is
// discarded.
func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	f, err := wholefile.Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := text("all")(f); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before Commit: %v", err)
	}
	if err := errors.Join(f.Commit(), f.Discard()); err != nil {
		t.Fatal(err)
	}
	has(t, dir, "all")
	if f, err = wholefile.Create(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(text("other")(f), f.Discard(), f.Discard()); err != nil {
		t.Fatal(err)
	}
	has(t, dir, "all")
}

// A place that cannot be written is found before the work; one that cannot be
// replaced leaves nothing behind.
func TestPlaceThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	if _, err := wholefile.Create(filepath.Join(dir, "none", "state"), 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	taken := filepath.Join(dir, "state")
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := wholefile.Write(taken, 0o600, text("all")); err == nil {
		t.Error("a directory was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v are left, %v", entries, err)
	}
	if err := wholefile.SyncDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("sync of no directory: %v", err)
	}
}
