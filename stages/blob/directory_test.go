package blob

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestDirectoryNeverReplaces(t *testing.T) {
	dir := t.TempDir()
	for _, noLinks := range []bool{false, true} {
		d := newDirectory(dir)
		if noLinks {
			d.link = func(from, to string) error {
				return &os.LinkError{Op: "link", Old: from, New: to, Err: syscall.EPERM}
			}
		}
		name := fmt.Sprintf("a/b/%v.ndjson", noLinks)
		if err := d.create(t.Context(), object{name: name, data: []byte("1\n")}); err != nil {
			t.Fatal(err)
		}
		if err := d.create(t.Context(), object{name: name, data: []byte("2\n")}); failureOf(err) != failExists {
			t.Errorf("noLinks=%v: second create: %v", noLinks, err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != "1\n" {
			t.Errorf("noLinks=%v: content %q, %v", noLinks, text, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, incoming)); err != nil || len(left) != 0 {
		t.Errorf("left in %s: %v, %v", incoming, left, err)
	}
}

func TestDirectoryRefusesNamesThatLeave(t *testing.T) {
	d := newDirectory(t.TempDir())
	for _, name := range []string{"", ".", "..", "../x", "a/../../x", "/x", "a//b", "a/./b", ".incoming/x", "a/.."} {
		if err := d.create(t.Context(), object{name: name}); failureOf(err) != failRejected {
			t.Errorf("create %q: %v", name, err)
		}
		if _, err := d.open(t.Context(), name); err == nil {
			t.Errorf("open %q: no error", name)
		}
	}
	if err := d.create(t.Context(), object{name: strings.Repeat("x", 300)}); failureOf(err) != failRejected {
		t.Errorf("a name that is too long: %v", err)
	}
}

func TestDirectorySweepsLeftovers(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	dir := cfg.mustDir(t)
	if err := os.MkdirAll(filepath.Join(dir, incoming), 0o750); err != nil {
		t.Fatal(err)
	}
	old, young := filepath.Join(dir, incoming, "old"), filepath.Join(dir, incoming, "young")
	for _, f := range []string{old, young} {
		if err := os.WriteFile(f, []byte(`{"half`), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	past := time.Now().Add(-2 * leftoverAge)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	if err := openSink(t, cfg).PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the leftover stands still: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("another writer's file has gone: %v", err)
	}
	one(t, contents(t, cfg, "")) // and neither is an object
}

// mustDir returns the directory of a configuration.
func (c *Config) mustDir(t *testing.T) string {
	t.Helper()
	p, err := c.place()
	if err != nil {
		t.Fatal(err)
	}
	return p.dir
}

func TestDirectoryDown(t *testing.T) {
	base := t.TempDir()
	cfg := dirConfig(filepath.Join(base, "out"))
	// A file stands where the directory should be.
	if err := os.WriteFile(filepath.Join(base, "out"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openSink(t, cfg)
	if err := s.Probe(t.Context()); err == nil {
		t.Error("the probe succeeds")
	}
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err == nil || feed.IsPermanent(err) {
		t.Errorf("err = %v, want a transient one", err)
	}
	if err := os.Remove(filepath.Join(base, "out")); err != nil {
		t.Fatal(err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); err != nil {
		t.Fatal(err)
	}
	// Somebody clears the directory while the sink runs.
	if err := os.RemoveAll(filepath.Join(base, "out")); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 2 { // the first try finds it out
		err = s.PublishBatch(t.Context(), batch(msg(`2`)))
	}
	if err != nil {
		t.Error(err)
	}
	one(t, contents(t, cfg, ""))
}

const childDir = "BLOB_TEST_CHILD_DIR"

// runChild is what the test binary does when it is started as a writer: it
// writes the same batches in a loop, and says so, until it is killed.
func runChild(dir string) error {
	cfg := dirConfig(dir)
	cfg.Path = "{meta.n}/{hash}"
	s, err := NewSink(cfg, testEnv)
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if err := s.PublishBatch(childContext, childBatch(i)); err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func childBatch(i int) *feed.Batch {
	var msgs []*message.Message
	for j := range 200 {
		msgs = append(msgs, msg(fmt.Sprintf(`{"batch":%d,"seq":%d,"pad":"%01000d"}`, i, j, 0), "n", fmt.Sprint(j%2)))
	}
	return batch(msgs...)
}

// A writer that is killed at any moment leaves whole objects only, all that it
// has reported, and nothing that keeps the next one from finishing the work.
func TestDirectoryKilledWriter(t *testing.T) {
	t.Parallel() // it waits most of the time
	dir := t.TempDir()
	reported := 0
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), childDir+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		last := -1
		for last < 5+7*round {
			if _, err := fmt.Fscan(out, &last); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for { // what it had said before it died
			if _, err := fmt.Fscan(out, &last); err != nil {
				break
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the writer was not killed")
		}
		reported = max(reported, last+1)
	}
	cfg := dirConfig(dir)
	cfg.Path = "{meta.n}/{hash}"
	s := openSink(t, cfg)
	found := contents(t, cfg, "")
	if len(found) < 2*reported {
		t.Errorf("%d objects stand for %d batches that were reported as durable", len(found), reported)
	}
	for i := range len(found)/2 + 2 {
		if err := s.PublishBatch(t.Context(), childBatch(i)); err != nil {
			t.Fatal(err)
		}
	}
	lines := map[string]int{}
	for name, text := range contents(t, cfg, "") {
		if !strings.HasSuffix(text, "\n") || strings.Count(text, "\n") != 100 {
			t.Errorf("%s has %d lines", name, strings.Count(text, "\n"))
		}
		for line := range strings.Lines(text) {
			lines[line]++
		}
	}
	for i := range reported {
		for _, m := range childBatch(i).Messages {
			if n := lines[string(m.Payload)+"\n"]; n != 1 {
				t.Fatalf("%.30s… stands %d times", m.Payload, n)
			}
		}
	}
}

// TestMissingDirectory: what is to be observed must be there, and whoever wrote the
// address learns where.
func TestMissingDirectory(t *testing.T) {
	c := DefaultConfig()
	c.URL = feed.NewURL("file://" + filepath.ToSlash(filepath.Join(t.TempDir(), "nowhere")))
	o := observe(t, c, nil)
	q := validate.Query{From: time.Unix(0, 0), To: time.Unix(3600, 0)}
	err := o.Read(t.Context(), q, func(validate.Page) error { return nil })
	if err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "nowhere: no such file or directory (check blob.url, such as validate.observe.blob.url)") {
		t.Errorf("read from a directory that is not there: %v", err)
	}
}
