package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

var testEnv = feed.StageEnv{Feed: "plant", Route: "archive"}

var received = time.Date(2026, 11, 21, 3, 40, 39, 0, time.UTC)

// msg returns a message with metadata given as key, value, ….
func msg(payload string, meta ...string) *message.Message {
	m := message.NewMessage("id-"+payload, []byte(payload))
	for i := 0; i+1 < len(meta); i += 2 {
		m.Metadata.Set(meta[i], meta[i+1])
	}
	return m
}

func batch(msgs ...*message.Message) *feed.Batch {
	return &feed.Batch{Messages: msgs, Received: received}
}

func dirConfig(dir string) Config {
	cfg := DefaultConfig()
	cfg.URL = feed.NewURL("file://" + dir)
	return cfg
}

func openSink(t *testing.T, cfg Config) *Sink {
	t.Helper()
	s, err := NewSink(cfg, testEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// contents reads all objects below prefix: name → text.
func contents(t testing.TB, cfg Config, prefix string) map[string]string {
	t.Helper()
	r, err := NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	all := map[string]string{}
	for o, err := range r.Objects(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		rc, err := r.Read(t.Context(), o.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(rc)
		if err != nil {
			t.Fatal(err)
		}
		if err := rc.Close(); err != nil {
			t.Fatal(err)
		}
		all[o.Name] = string(text)
	}
	return all
}

// one returns the only entry of a map.
func one(t *testing.T, m map[string]string) (name, text string) {
	t.Helper()
	if len(m) != 1 {
		t.Fatalf("%d objects, want 1: %v", len(m), m)
	}
	for name, text = range m {
	}
	return name, text
}

func TestSinkCompressions(t *testing.T) {
	for _, c := range []Compression{Plain, Gzip, Zstd} {
		t.Run(string(c), func(t *testing.T) {
			cfg := dirConfig(t.TempDir())
			cfg.Compression = c
			s := openSink(t, cfg)
			var msgs []*message.Message
			var want strings.Builder
			for i := range 5000 {
				p := fmt.Sprintf(`{"seq":%d,"text":"some text that takes room"}`, i)
				msgs = append(msgs, msg(p))
				want.WriteString(p + "\n")
			}
			for range 2 { // the second time is a retry
				if err := s.PublishBatch(t.Context(), batch(msgs...)); err != nil {
					t.Fatal(err)
				}
			}
			name, text := one(t, contents(t, cfg, "2026-11-21/03/archive-"))
			if text != want.String() {
				t.Errorf("content differs: %d bytes, want %d", len(text), want.Len())
			}
			if !strings.HasSuffix(name, c.extension()) {
				t.Errorf("name %q lacks %q", name, c.extension())
			}
		})
	}
}

func TestSinkGroupsByPath(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	cfg.Path = "{date}/{hour}{minute}/{meta.site}/{topic}"
	s := openSink(t, cfg)
	err := s.PublishBatch(t.Context(), batch(
		msg(`1`, "site", "north", "topic", "a/b", "time", "2026-01-02T03:04:05Z"),
		msg(`2`, "site", "../..", "topic", "a/b", "time", "2026-01-02T03:04:59.9Z"),
		msg(`3`, "site", "north", "topic", "a/b", "time", "2026-01-02T04:04:59+01:00"),
		msg(`4`, "topic", "a/b", "time", "no time"),
	))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, text := range contents(t, cfg, "") {
		got[name[:strings.LastIndexByte(name, '-')]] = text
	}
	want := map[string]string{
		"2026-01-02/0304/north/a%2Fb":       "1\n3\n",
		"2026-01-02/0304/%2E.%2F.%2E/a%2Fb": "2\n",
		"2026-11-21/0340/%missing/a%2Fb":    "4\n",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestSinkNotJSON(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	s := openSink(t, cfg)
	err := s.PublishBatch(t.Context(), batch(msg(`{"a":1}`), msg(`{"a":`), msg("[1,\n 2]"), msg(``)))
	var be *feed.BatchError
	if !errors.As(err, &be) || len(be.Failures) != 2 || be.Failures[0].Index != 1 || be.Failures[1].Index != 3 {
		t.Fatalf("err = %v, want failures of 1 and 3", err)
	}
	for _, f := range be.Failures {
		if !feed.IsPermanent(f.Err) {
			t.Errorf("failure of %d is not permanent: %v", f.Index, f.Err)
		}
	}
	if _, text := one(t, contents(t, cfg, "")); text != "{\"a\":1}\n[1,2]\n" {
		t.Errorf("content %q", text)
	}
	// A batch of nothing else writes nothing.
	if err := s.PublishBatch(t.Context(), batch(msg(`x`))); err == nil {
		t.Error("no error")
	}
	one(t, contents(t, cfg, ""))
}

func TestSinkSplitsObjects(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	cfg.MaxObjectBytes = feed.KiB
	s := openSink(t, cfg)
	var msgs []*message.Message
	for i := range 100 {
		msgs = append(msgs, msg(fmt.Sprintf(`{"seq":%d,"pad":"%0100d"}`, i, 0)))
	}
	for range 2 {
		if err := s.PublishBatch(t.Context(), batch(msgs...)); err != nil {
			t.Fatal(err)
		}
	}
	all := contents(t, cfg, "")
	lines := 0
	for _, text := range all {
		lines += strings.Count(text, "\n")
		if len(text) > 1024+130 {
			t.Errorf("object of %d bytes", len(text))
		}
	}
	if lines != 100 || len(all) < 10 {
		t.Errorf("%d lines in %d objects", lines, len(all))
	}
}

func TestSinkClosed(t *testing.T) {
	s := openSink(t, dirConfig(t.TempDir()))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PublishBatch(t.Context(), batch(msg(`1`))); !errors.Is(err, ErrClosed) {
		t.Errorf("err = %v", err)
	}
	if err := s.Probe(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("err = %v", err)
	}
}

func TestPlainPublish(t *testing.T) {
	cfg := dirConfig(t.TempDir())
	cfg.Path = "x/{topic}"
	s := openSink(t, cfg)
	if err := s.Publish("press", msg(`1`), msg(`2`)); err != nil {
		t.Fatal(err)
	}
	if name, text := one(t, contents(t, cfg, "")); !strings.HasPrefix(name, "x/press-") || text != "1\n2\n" {
		t.Errorf("%q: %q", name, text)
	}
}

// A gzip header has no time in it, and an encoder that was used before makes the
// same bytes as a new one.
func TestEncodingIsDeterministic(t *testing.T) {
	for _, c := range []Compression{Plain, Gzip, Zstd} {
		used, err := newLineEncoder(EnvelopeNone, c)
		if err != nil {
			t.Fatal(err)
		}
		encode := func(e *lineEncoder, n int) string {
			e.begin(100)
			for i := range n {
				if err := e.commit(append(e.stage, fmt.Sprintf("{\"line\":%d}\n", i*i)...)); err != nil {
					t.Fatal(err)
				}
			}
			data, err := e.finish()
			if err != nil {
				t.Fatal(err)
			}
			return string(data)
		}
		for _, n := range []int{1, 10, 30000, 10} {
			fresh, err := newLineEncoder(EnvelopeNone, c)
			if err != nil {
				t.Fatal(err)
			}
			a, b := encode(used, n), encode(fresh, n)
			if a != b {
				t.Errorf("%s: %d lines make different bytes in a used encoder", c, n)
			}
			if c == Gzip && a[4:8] != "\x00\x00\x00\x00" {
				t.Errorf("gzip header has the time %x", a[4:8])
			}
		}
	}
}
