package blob

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed/validate"
)

func link(t testing.TB, from, to string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

// TestLinkedRoot: a directory may be given by a link, which is followed each time.
func TestLinkedRoot(t *testing.T) {
	dir := t.TempDir()
	sink := dirConfig(filepath.Join(dir, "disk"))
	put(t, sink, sample(1), sample(2))
	linked := filepath.Join(dir, "link")
	o := observe(t, dirConfig(linked), nil)
	none := func(validate.Page) error { return nil }
	if err := o.Read(t.Context(), query(), none); failureOf(err) != failNotFound {
		t.Errorf("a link that is not there: %v", err)
	}
	link(t, filepath.Join(dir, "disk"), linked)
	if seqs, unreadable := everything(t, o, query()); len(seqs) != 2 || len(unreadable) > 0 {
		t.Errorf("by a link: readings %v, unreadable %v", seqs, unreadable)
	}
	if err := os.Remove(linked); err != nil {
		t.Fatal(err)
	}
	writeFile(t, dir, "link", []byte("a file"))
	if err := o.Read(t.Context(), query(), none); err == nil {
		t.Error("a file is read as an empty directory")
	}
}

// TestLinksBelow: links are not followed, and never passed over in silence, be they
// in the place of an object, of a directory, or on the way to it.
func TestLinksBelow(t *testing.T) {
	dir := t.TempDir()
	root, disk := filepath.Join(dir, "root"), filepath.Join(dir, "disk")
	put(t, dirConfig(disk), sample(1))
	for path, links := range map[string][]string{
		"":                     {"a.ndjson", "plant1/sub", "plant1"},
		"{date}/{hour}/{hash}": {"2026-11-21", "2026-11-21/12"},
		"plant1/{date}/{hash}": {"plant1", "plant1/2026-11-21"},
	} {
		for _, name := range links {
			if err := os.RemoveAll(root); err != nil {
				t.Fatal(err)
			}
			link(t, disk, filepath.Join(root, name))
			o := observe(t, dirConfig(root), func(c *ObservationConfig) { c.Path = path })
			seqs, unreadable := everything(t, o, query())
			if told := slices.Collect(maps.Keys(unreadable)); len(seqs) > 0 || !slices.Equal(told, []string{name}) || !strings.Contains(unreadable[name], "link") {
				t.Errorf("path %q, link %s: readings %v, unreadable %v", path, name, seqs, unreadable)
			}
		}
	}
}
