package quarantine

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// TestKilledWriter kills a process that writes, and finds everything that it
// was told is stored. Meanwhile it reads what the process writes.
func TestKilledWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	stored := 0
	for round := range 3 {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		child := exec.Command(self)
		child.Env = append(os.Environ(), childEnv+"="+path)
		var stderr bytes.Buffer
		child.Stderr = &stderr
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		printed := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if printed++; printed == 20 {
				readWhileWriting(t, path, stored+printed)
			}
			if printed == 30+7*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := child.Wait(); err == nil || printed < 30 {
			t.Fatalf("the child ended by itself after %d items: %v: %s", printed, err, stderr.String())
		}
		c := configOf(path)
		s, err := Open(t.Context(), c) // the lock must be free
		if err != nil {
			t.Fatal(err)
		}
		n, err := s.Len(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// The last one may be stored without the child having said so.
		if lost := int64(stored+printed) - n; lost > 0 || lost < -1 {
			t.Errorf("round %d: %d items are there, %d were reported as stored", round, n, stored+printed)
		}
		checkTotals(t, s, n)
		stored = int(n)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// readWhileWriting lists what another process has open for writing.
func readWhileWriting(t *testing.T, path string, atLeast int) {
	t.Helper()
	r, err := OpenReadOnly(t.Context(), Place{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	items, err := r.List(t.Context(), Query{Route: "child", Limit: MaxLimit})
	if err != nil || len(items) < atLeast {
		t.Errorf("listed %d items, error %v, at least %d are there", len(items), err, atLeast)
	}
	c := configOf(path)
	if s, err := Open(t.Context(), c); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("a second writer: %v, want ErrInUse", err)
		if err == nil {
			s.Close()
		}
	}
}

func TestReadOnly(t *testing.T) {
	s := open(t, nil)
	if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 3)}); err != nil {
		t.Fatal(err)
	}
	read := func() {
		t.Helper()
		r, err := OpenReadOnly(t.Context(), Place{Path: s.config.Path})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if it, err := r.Get(t.Context(), 1); err != nil || string(it.Payload) != "xxx" {
			t.Errorf("got %+v, error %v", it, err)
		}
		if _, err := r.conn.db.Exec(`DELETE FROM quarantine`); err == nil {
			t.Error("a reader may delete")
		}
	}
	read()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	read() // no writer, no write-ahead log
}

func TestReadOnlyWithoutStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	if _, err := OpenReadOnly(t.Context(), Place{Path: path}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a reader has made the file: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenReadOnly(t.Context(), Place{Path: path}); !errors.Is(err, ErrForeign) {
		t.Errorf("empty file: %v", err)
	}
}

func TestSecondWriter(t *testing.T) {
	s := open(t, nil)
	if _, err := Open(t.Context(), s.config); !errors.Is(err, ErrInUse) {
		t.Errorf("error %v, want ErrInUse", err)
	}
	// The refusal must not have freed the first one's lock.
	if _, err := Open(t.Context(), s.config); !errors.Is(err, ErrInUse) {
		t.Errorf("error %v, want ErrInUse", err)
	}
	if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1)}); err != nil {
		t.Error(err)
	}
}

func TestForeignDatabase(t *testing.T) {
	for name, statements := range map[string]string{
		"tables":         `CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)`,
		"application id": `PRAGMA application_id = 42`,
		"newer version":  `PRAGMA application_id = 1717921124; PRAGMA user_version = 4`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "theirs.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(statements); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c := configOf(path)
			if _, err := Open(t.Context(), c); !errors.Is(err, ErrForeign) {
				t.Errorf("open: %v, want ErrForeign", err)
			}
			if _, err := OpenReadOnly(t.Context(), Place{Path: path}); !errors.Is(err, ErrForeign) {
				t.Errorf("open for reading: %v, want ErrForeign", err)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the file was changed (error %v)", err)
			}
		})
	}
}

func TestCorruptFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "q.db")
	c := configOf(path)
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1000)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	scribbled := bytes.Clone(whole)
	for i := 4096; i < len(scribbled)-4096; i += 4096 {
		copy(scribbled[i:], "scribbled over the head of a page")
	}
	for name, content := range map[string][]byte{
		"scribbled":   scribbled,
		"cut short":   whole[:len(whole)/2],
		"no database": []byte(strings.Repeat("this is a text file\n", 1000)),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(t.Context(), c); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "move the file away") {
				t.Errorf("open: %v, want ErrCorrupt", err)
			}
		})
	}
}

func TestCannotCreate(t *testing.T) {
	c := configOf(filepath.Join(t.TempDir(), "file", "q.db"))
	if err := os.WriteFile(filepath.Dir(c.Path), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), c); err == nil || !strings.Contains(err.Error(), "change quarantine.path") {
		t.Errorf("a store below a file: %v", err)
	}
}

// A probe that only reads would let a route resume on a disk that is full.
func TestProbeWrites(t *testing.T) {
	s := open(t, nil)
	size := func() int64 {
		info, err := os.Stat(s.config.Path + "-wal")
		if err != nil {
			return 0
		}
		return info.Size()
	}
	before := size()
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if size() <= before {
		t.Errorf("the write-ahead log has %d bytes before and %d after a probe", before, size())
	}
}
