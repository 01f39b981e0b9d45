package host

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func pin(path, content string) pinned {
	return pinned{path: path, sum: sha256.Sum256([]byte(content)), by: "plugins.list[0].sha256"}
}

// The copy is what was pinned, can be executed and not be written; a file that is
// not what was pinned leaves none.
func TestCopy(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	good := write(t, filepath.Join(dir, "good"), "content")
	dst := filepath.Join(to, "copy")
	if err := pin(good, "content").copyTo(dst); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(dst)
	info, serr := os.Stat(dst)
	if err != nil || serr != nil || string(text) != "content" || info.Mode().Perm() != 0o500 {
		t.Errorf("copied %q, %v, %v, %v", text, err, info.Mode(), serr)
	}
	outside := write(t, filepath.Join(to, "outside"), "content")
	for link, target := range map[string]string{"out": outside, "nowhere": "missing", "in": "good"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pin(filepath.Join(dir, "in"), "content").copyTo(filepath.Join(to, "linked")); err != nil {
		t.Errorf("a symlink within the directory: %v", err)
	}
	for name, want := range map[string]string{
		"good":    fmt.Sprintf("good is not the file that was pinned: its SHA-256 is %x, plugins.list[0].sha256 says %x", sha256.Sum256([]byte("content")), sha256.Sum256([]byte("other"))),
		"out":     "out is a symlink that leads out of its directory, or nowhere: put the file itself there",
		"nowhere": "nowhere is a symlink that leads out of its directory, or nowhere",
		"missing": "missing: no such file or directory",
		"fifo":    "fifo: it is no regular file",
	} {
		refused := filepath.Join(to, "refused")
		if err := pin(filepath.Join(dir, name), "other").copyTo(refused); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
		if _, err := os.Lstat(refused); err == nil {
			t.Errorf("%s: a copy was left", name)
		}
	}
}

// A directory's SHA256SUMS says what is a plugin, as sha256sum writes it.
func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", ".hidden"} {
		write(t, filepath.Join(dir, name), name)
	}
	sum := func(s string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s))) }
	write(t, filepath.Join(dir, sumsFile), sum("b")+"  b\n\n"+sum("a")+" *./a\n")
	listed, wrong, others, err := readDirectory(dir)
	if err != nil || len(listed) != 2 || len(wrong) > 0 || strings.Join(others, " ") != "c" {
		t.Fatalf("got %v, %v, %v", listed, others, err)
	}
	if a := listed[0]; a.path != filepath.Join(dir, "a") || a.sum != sha256.Sum256([]byte("a")) || a.by != filepath.Join(dir, sumsFile)+":3" {
		t.Errorf("got %+v", a)
	}
	for text, want := range map[string]string{
		"abc":                                 "SHA256SUMS:1: \"abc\" is no line of sha256sum",
		"abc  a":                              "SHA256SUMS:1: 3 characters are no SHA-256: write its 64 hexadecimal digits",
		strings.Repeat("x", 64) + "  a":       "is no SHA-256",
		sum("a") + "  ../a":                   `"../a" does not name a file of the directory itself`,
		sum("a") + "  ..":                     `".." does not name a file`,
		sum("a") + "  a\n" + sum("a") + "  a": "SHA256SUMS:2: a is listed twice",
	} {
		write(t, filepath.Join(dir, sumsFile), text+"\n"+sum("b")+"  b\n")
		listed, wrong, _, err := readDirectory(dir)
		if err != nil || len(wrong) != 1 || !strings.Contains(wrong[0].err.Error(), want) || listed[len(listed)-1].path != filepath.Join(dir, "b") {
			t.Errorf("%q: got %v, %v, %v, want %s", text, listed, wrong, err, want)
		}
	}
	if err := os.Remove(filepath.Join(dir, sumsFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := readDirectory(dir); err == nil || !strings.Contains(err.Error(), "sha256sum PLUGIN... > SHA256SUMS) writes it") {
		t.Errorf("without sums: %v", err)
	}
	if _, _, _, err := readDirectory(filepath.Join(dir, "missing")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("without a directory: %v", err)
	}
}

// Hosts that start at once leave each other's directories alone.
func TestPrivateDirsAtOnce(t *testing.T) {
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	var hosts sync.WaitGroup
	for range 8 {
		hosts.Go(func() {
			for range 50 {
				d, err := newPrivateDir(parent)
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := os.Stat(d.path); err != nil {
					t.Error(err)
				}
				if err := d.remove(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	hosts.Wait()
	if left, err := os.ReadDir(parent); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
}

// The private directory is for its host only, and what a host that was killed has
// left is removed.
func TestPrivateDir(t *testing.T) {
	parent := t.TempDir()
	if err := os.Chmod(parent, 0o700); err != nil {
		t.Fatal(err)
	}
	abandoned := filepath.Join(parent, privatePrefix+"1")
	if err := os.Mkdir(abandoned, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(abandoned, "0"), "1")
	other := filepath.Join(parent, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	first, err := newPrivateDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	second, err := newPrivateDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{abandoned: false, other: true, first.path: true, second.path: true} {
		if info, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		} else if err == nil && path != other && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
	f, err := os.Open(first.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) { // so does systemd-tmpfiles ask
		t.Errorf("what cleans up would take %s for abandoned: %v", first.path, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	for _, d := range []*privateDir{first, second} {
		if err := d.remove(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(d.path); err == nil {
			t.Errorf("%s is left", d.path)
		}
	}
	for _, c := range []struct{ dir, want string }{
		{filepath.Join(parent, "missing/below"), "plugins.runtimeDirectory: mkdir"},
		{write(t, filepath.Join(parent, "file"), ""), "is no directory"},
		{mkdir(t, filepath.Join(parent, strings.Repeat("long", 20))), "is too long for the name of a socket"},
		{mkdir(t, filepath.Join(parent, "open"), 0o777), "others may write to"},
	} {
		if _, err := newPrivateDir(c.dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", c.dir, err, c.want)
		}
	}
	if os.Geteuid() == 0 { // nobody else can give a directory away
		foreign := mkdir(t, filepath.Join(parent, "foreign"))
		if err := os.Chown(foreign, 1, 1); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(foreign, filepath.Join(parent, "link")); err != nil {
			t.Fatal(err)
		}
		for _, dir := range []string{foreign, filepath.Join(parent, "link")} {
			if _, err := newPrivateDir(dir); err == nil || !strings.Contains(err.Error(), "belongs to another user (id 1)") {
				t.Errorf("%s: got %v", dir, err)
			}
		}
	}
	// Within what a pod has as /tmp, which all may write to, nobody but the feed makes one that is its own.
	own := filepath.Join(parent, "open/own")
	for range 2 {
		d, err := newPrivateDir(own)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", own, info, err)
		}
		if err := d.remove(); err != nil {
			t.Error(err)
		}
	}
}

func mkdir(t *testing.T, path string, mode ...os.FileMode) string {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, m := range mode {
		if err := os.Chmod(path, m); err != nil {
			t.Fatal(err)
		}
	}
	return path
}
