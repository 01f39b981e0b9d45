package sqlitefile_test

import (
	"bytes"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/internal/sqlitefile"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", sqlitefile.DSN(path, url.Values{"_pragma": {"busy_timeout(1000)"}}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// TestVersion: an empty file may be taken, one's own is known by its version, and
// another's is refused and stays as it was.
func TestVersion(t *testing.T) {
	const mine = 0x66627465
	for _, tt := range []struct {
		name, made string
		want       int64
		foreign    bool
	}{
		{"empty", ``, 0, false},
		{"mine", `CREATE TABLE t (x); PRAGMA application_id = 1717728357; PRAGMA user_version = 3`, 3, false},
		{"mine without version", `PRAGMA application_id = 1717728357`, 0, true},
		{"another's", `PRAGMA application_id = 7; PRAGMA user_version = 3`, 0, true},
		{"nobody's, with a table", `CREATE TABLE t (x)`, 0, true},
		{"nobody's, with a version", `PRAGMA user_version = 3`, 0, true},
	} {
		path := filepath.Join(t.TempDir(), "100%?# "+tt.name)
		db := open(t, path)
		if _, err := db.Exec(tt.made); err != nil {
			t.Fatal(err)
		}
		before, err := os.ReadFile(path)
		if err != nil && tt.made != "" {
			t.Fatal(err)
		}
		got, err := sqlitefile.Version(t.Context(), db, mine)
		if got != tt.want || errors.Is(err, sqlitefile.ErrForeign) != tt.foreign || (err != nil) != tt.foreign {
			t.Errorf("%s: %d, %v", tt.name, got, err)
		}
		if after, err := os.ReadFile(path); !bytes.Equal(after, before) {
			t.Errorf("%s: the file was changed, or %v", tt.name, err)
		}
	}
}

// TestCreate: a new file is its owner's alone; one that is there stays as it is.
func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "f")
	for range 2 {
		if err := sqlitefile.Create(path); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want %v", name, info.Mode(), err, want)
		}
	}
	if err := os.WriteFile(path, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := sqlitefile.Create(path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "there" {
		t.Errorf("%q, %v", text, err)
	}
	if err := sqlitefile.Create(filepath.Join(path, "under a file")); err == nil {
		t.Error("a file is taken for a directory")
	}
}

func TestVersionOfNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlitefile.Version(t.Context(), open(t, path), 1); err == nil || errors.Is(err, sqlitefile.ErrForeign) {
		t.Errorf("%v, want the driver's error", err)
	}
}

func TestUseWAL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	db := open(t, path)
	if _, err := db.Exec(`CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	if err := sqlitefile.UseWAL(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	var mode string
	if err := open(t, path).QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("another connection has %s, %v", mode, err)
	}
	// What is in memory only has no such log.
	memory, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if err := sqlitefile.UseWAL(t.Context(), memory); err == nil || !strings.Contains(err.Error(), `"memory" only`) {
		t.Errorf("%v, want that it is refused", err)
	}
}
