package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func exactly(cfg Config) Config {
	cfg.ExactlyOnce, cfg.Path = true, "{topic}"
	return cfg
}

func checkpointerPlace(cfg Config) feedtest.CheckpointerUnderTest {
	stored := storedLines(cfg)
	return feedtest.CheckpointerUnderTest{
		Open:    func(t *testing.T) message.Publisher { return openSink(t, cfg) },
		Payload: func(n int) []byte { return jsonPayload(n, 10) },
		Stored: func(t testing.TB) []string {
			var all []string
			for _, s := range stored(t, 0) {
				all = append(all, string(s.Payload))
			}
			return all
		},
		Refused: func() []byte { return []byte("{") },
	}
}

func TestCheckpointerDirectory(t *testing.T) {
	feedtest.TestCheckpointer(t, func(t *testing.T) feedtest.CheckpointerUnderTest {
		return checkpointerPlace(exactly(dirConfig(t.TempDir())))
	})
}

func TestCheckpointerAzure(t *testing.T) {
	feedtest.TestCheckpointer(t, func(t *testing.T) feedtest.CheckpointerUnderTest {
		c := testenv.Azurite(t)
		return checkpointerPlace(exactly(azureConfig(c, c.Addr)))
	})
}

// exactSink is a sink on a store in memory, as a process of its own.
func exactSink(t *testing.T, st store, change func(*Config)) *Sink {
	t.Helper()
	return fakeSink(t, st, func(c *Config) {
		*c = exactly(*c)
		c.Path = "{meta.device}/{date}"
		if change != nil {
			change(c)
		}
	})
}

// rangeOf is a batch that covers offsets from first on.
func rangeOf(first int, msgs ...*message.Message) *feed.Batch {
	last := msgs[len(msgs)-1]
	return &feed.Batch{Messages: msgs, Received: received, Range: &feed.Range{
		First: uint64(first), Deliveries: len(msgs),
		Last: feed.Position{Offset: uint64(first + len(msgs) - 1), SHA256: sha256.Sum256(last.Payload)},
	}}
}

// numbered returns messages of two devices in turn, numbered from first on.
func numbered(first, n int) []*message.Message {
	var msgs []*message.Message
	for i := first; i < first+n; i++ {
		msgs = append(msgs, msg(fmt.Sprintf(`{"n":%d}`, i), "device", fmt.Sprint("d", i%2), feed.MetaTime, "2026-11-21T03:00:00Z"))
	}
	return msgs
}

func resume(t *testing.T, s *Sink) feed.Resumption {
	t.Helper()
	r, err := s.Resume(t.Context(), "telemetry")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func publish(t *testing.T, s *Sink, b *feed.Batch) {
	t.Helper()
	if err := s.PublishBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func (f *fakeStore) texts() map[string]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := map[string]string{}
	for name, o := range f.objects {
		all[name] = string(o.data)
	}
	return all
}

func TestRangesMakeTheNames(t *testing.T) {
	st := newFakeStore()
	s := exactSink(t, st, func(c *Config) { c.Path = "{meta.device}/{date}/{hour}-{minute}"; c.MaxObjectBytes = feed.KiB })
	resume(t, s)
	long := fmt.Sprintf(`"%s"`, strings.Repeat("x", 600))
	publish(t, s, rangeOf(7,
		msg(long, "device", "a/b", feed.MetaTime, "2026-11-21T03:04:05.5Z"),
		msg(long, "device", "a/b", feed.MetaTime, "2026-11-21T04:04:59+01:00"),
		msg(long, "device", "a/b", feed.MetaTime, "2026-11-21T03:04:00Z"),
		msg("2", "device", "a/b"),
		msg("3", feed.MetaTime, "yesterday"),
	))
	empty := rangeOf(12, numbered(0, 3)...)
	empty.Messages = nil
	publish(t, s, empty)
	publish(t, s, rangeOf(15, msg("4", feed.MetaTime, "2026-11-21T03:04:05Z")))
	publish(t, s, rangeOf(20, msg("5", feed.MetaTime, "2026-11-21T03:04:05Z"))) // behind a gap
	want := map[string]string{
		"a%2Fb/2026-11-21/03-04/telemetry-1-7-11-1.ndjson":           long + "\n" + long + "\n",
		"a%2Fb/2026-11-21/03-04/telemetry-1-7-11-2.ndjson":           long + "\n",
		"a%2Fb/undated/undated-undated/telemetry-1-7-11-1.ndjson":    "2\n",
		"%missing/undated/undated-undated/telemetry-1-7-11-1.ndjson": "3\n",
		"%missing/2026-11-21/03-04/telemetry-1-12-15-1.ndjson":       "4\n", // it tells of the empty range, too
		"%missing/2026-11-21/03-04/telemetry-1-20-20-1.ndjson":       "5\n",
	}
	if got := st.texts(); !maps.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

// TestRangeIsFinishedAfterACrash ends a process after each of the requests that
// a range takes, before or after the store has done it, and lets another one
// go on.
func TestRangeIsFinishedAfterACrash(t *testing.T) {
	crash := errors.New("crashed")
	for step := 0; ; step++ {
		for _, done := range []bool{false, true} {
			st, calls := newFakeStore(), 0
			// failing says no from the given request on.
			failing := func(after bool) error {
				if !after {
					calls++
				}
				if calls > step+1 || calls == step+1 && after == done {
					return &storeError{failure: failUnavailable, op: "request", err: crash}
				}
				return nil
			}
			first := exactSink(t, st, func(c *Config) { c.Parallel = 1 })
			resume(t, first)
			publish(t, first, rangeOf(0, numbered(0, 4)...))
			st.before, st.after = func(string) error { return failing(false) }, func(string) error { return failing(true) }
			st.beforeSwap, st.afterSwap = func() error { return failing(false) }, func() error { return failing(true) }
			err := first.PublishBatch(t.Context(), rangeOf(4, numbered(4, 6)...))
			st.before, st.after, st.beforeSwap, st.afterSwap = nil, nil, nil, nil
			if err == nil {
				if step < 4 {
					t.Fatalf("a range took %d requests; it should take 4: the intent, two objects, the commit", step)
				}
				return
			}
			if !errors.Is(err, crash) {
				t.Fatalf("step %d: %v", step, err)
			}
			second := exactSink(t, st, nil)
			r := resume(t, second)
			next, n := 4, 9 // another batch than the first time
			if r.Pending != nil {
				n = 6
			}
			if r.Committed.Offset == 9 {
				next, n = 10, 5
			}
			if r.Pending != nil && (r.Pending.First != 4 || r.Pending.Last != rangeOf(4, numbered(4, 6)...).Range.Last || r.Pending.Deliveries != 6) {
				t.Fatalf("step %d: pending %+v", step, *r.Pending)
			}
			publish(t, second, rangeOf(next, numbered(next, n)...))
			if rest := 15 - next - n; rest > 0 {
				publish(t, second, rangeOf(next+n, numbered(next+n, rest)...))
			}
			seen := map[string]int{}
			for _, text := range st.texts() {
				for line := range strings.Lines(text) {
					seen[strings.TrimSpace(line)]++
				}
			}
			for i := range 15 {
				if n := seen[fmt.Sprintf(`{"n":%d}`, i)]; n != 1 {
					t.Errorf("step %d, done %t: reading %d stands there %d times", step, done, i, n)
				}
			}
		}
	}
}

// A range of Parquet is finished by another process with equal objects, too.
func TestRangesOfParquet(t *testing.T) {
	parquet := func(c *Config) { c.Format, c.Path, c.Compression = FormatParquet, "hive", Zstd }
	st := newFakeStore()
	first := exactSink(t, st, parquet)
	resume(t, first)
	st.beforeSwap = func() error { // the commit
		if len(st.objects) > 0 {
			return fault(failUnavailable)
		}
		return nil
	}
	if err := first.PublishBatch(t.Context(), rangeOf(0, numbered(0, 4)...)); err == nil {
		t.Fatal("publish succeeds")
	}
	st.beforeSwap = nil
	second := exactSink(t, st, parquet)
	if r := resume(t, second); r.Pending == nil {
		t.Fatalf("resumption %+v", r)
	}
	publish(t, second, rangeOf(0, numbered(0, 4)...))
	if got, want := slices.Collect(maps.Keys(st.texts())), []string{"date=2026-11-21/hour=03/telemetry-1-0-3-1.parquet"}; !slices.Equal(got, want) {
		t.Errorf("stored %v, want %v", got, want)
	}
}

func TestLostAnswersOfCheckpoints(t *testing.T) {
	st := newFakeStore()
	s := exactSink(t, st, nil)
	resume(t, s)
	lost := 0
	st.afterSwap = func() error { lost++; return fault(failUnknown) }
	publish(t, s, rangeOf(0, numbered(0, 4)...))
	if lost != 2 {
		t.Errorf("%d answers were lost, want 2", lost)
	}
	st.afterSwap = nil
	never := true
	st.beforeSwap = func() error {
		if never {
			return fault(failUnknown) // nothing was written
		}
		return nil
	}
	if err := s.PublishBatch(t.Context(), rangeOf(4, numbered(4, 2)...)); err == nil || errors.Is(err, feed.ErrFenced) {
		t.Errorf("publish: %v, want a transient error", err)
	}
	never = false
	publish(t, s, rangeOf(4, numbered(4, 2)...))
	if r := resume(t, s); r.Committed == nil || r.Committed.Offset != 5 || r.Pending != nil {
		t.Errorf("resumption %+v", r)
	}
}

// interrupted leaves the intent of the offsets 0 to 3 behind.
func interrupted(t *testing.T, st *fakeStore) {
	t.Helper()
	s := exactSink(t, st, nil)
	resume(t, s)
	st.before = func(string) error { return fault(failUnavailable) }
	if err := s.PublishBatch(t.Context(), rangeOf(0, numbered(0, 4)...)); err == nil {
		t.Fatal("publish succeeds")
	}
	st.before = nil
}

func TestAnotherConfigurationCannotFinishARange(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"path":           func(c *Config) { c.Path = "{date}" },
		"compression":    func(c *Config) { c.Compression = Gzip },
		"maxObjectBytes": func(c *Config) { c.Path = "all"; c.MaxObjectBytes = feed.KiB },
	} {
		t.Run(name, func(t *testing.T) {
			st := newFakeStore()
			interrupted(t, st)
			s := exactSink(t, st, change)
			resume(t, s)
			var config *feed.ConfigError
			if err := s.PublishBatch(t.Context(), rangeOf(0, numbered(0, 4)...)); !errors.As(err, &config) || !strings.Contains(config.Remedy, "once") {
				t.Errorf("publish: %v, want a *feed.ConfigError", err)
			}
			if got := st.texts(); len(got) > 0 {
				t.Errorf("stored %v", got)
			}
			old := exactSink(t, st, nil) // the remedy
			resume(t, old)
			publish(t, old, rangeOf(0, numbered(0, 4)...))
			if got := st.texts(); len(got) != 2 {
				t.Errorf("stored %v", got)
			}
		})
	}
}

// What another version of the program encoded is as good, when it was recorded.
func TestRecordedObjectsAreAsGood(t *testing.T) {
	st := newFakeStore()
	interrupted(t, st)
	s := exactSink(t, st, nil)
	resume(t, s)
	first, second := s.checkpoint.Intent.Objects[0], s.checkpoint.Intent.Objects[1]
	other := []byte("{\"n\":2}\n{\"n\":0}\n") // as many bytes, and not the same
	st.objects[first.Name] = object{name: first.Name, data: other, hash: contentHash(other)}
	if err := s.PublishBatch(t.Context(), rangeOf(0, numbered(0, 4)...)); !errors.Is(err, ErrContentMismatch) {
		t.Errorf("publish: %v, want ErrContentMismatch", err)
	}
	if got := st.texts()[first.Name]; got != string(other) {
		t.Errorf("%s was changed to %q", first.Name, got)
	}
	if r := s.checkpoint.resumption(); r.Committed != nil {
		t.Errorf("committed %+v, though an object is another one", r.Committed)
	}
	for _, noHash := range []bool{false, true} {
		st.noHash = noHash
		s.checkpoint.Intent.Objects[0].SHA256 = []string{contentHash(other)}
		publish(t, s, rangeOf(0, numbered(0, 4)...))
		s.checkpoint.Intent = &intent{Last: position{3, sha256.Sum256([]byte(`{"n":3}`))}, Objects: []recordedObject{
			{first.Name, first.Holds, []string{contentHash(other)}}, {second.Name, second.Holds, []string{"?"}},
		}}
		s.checkpoint.Committed = nil
	}
	if got := st.texts()[first.Name]; got != string(other) {
		t.Errorf("%s was changed to %q", first.Name, got)
	}
}

// Two crashes with two other programs: each program's bytes are known to the
// next one, whichever of them got to be stored.
func TestEachTryIsRecorded(t *testing.T) {
	lines := func(envelope Envelope) func(*Config) { return func(c *Config) { c.Envelope = envelope } }
	st := newFakeStore()
	refusing := func(prefix string) func(string) error {
		return func(name string) error {
			if strings.HasPrefix(name, prefix) {
				return fault(failUnavailable)
			}
			return nil
		}
	}
	for i, envelope := range []Envelope{EnvelopeNone, EnvelopeFull} {
		s := exactSink(t, st, lines(envelope))
		resume(t, s)
		st.before = refusing([]string{"d", "d1"}[i]) // the first makes nothing, the second one of two objects
		if err := s.PublishBatch(t.Context(), rangeOf(0, numbered(0, 4)...)); err == nil {
			t.Fatal("publish succeeds")
		}
	}
	st.before = nil
	last := exactSink(t, st, lines(EnvelopeNone))
	resume(t, last)
	publish(t, last, rangeOf(0, numbered(0, 4)...))
	if r := resume(t, last); r.Pending != nil || r.Committed == nil {
		t.Errorf("resumption %+v", r)
	}
	for name, text := range st.texts() {
		if full := strings.Contains(text, "payload"); full != strings.HasPrefix(name, "d0") {
			t.Errorf("%s is %q", name, text)
		}
	}
}

// A configuration that divides a range otherwise among objects of the same names
// cannot finish it: what the one had stored and the other would make need not be
// all messages, nor each once.
func TestObjectsOfOtherMessagesAreOtherObjects(t *testing.T) {
	var msgs []*message.Message
	for i := range 8 { // four and four, or six and two
		msgs = append(msgs, msg(fmt.Sprintf(`{"n":%d,"x":"%s"}`, i, strings.Repeat("x", 260)), feed.MetaTime, "2026-11-21T03:00:00Z"))
	}
	limit := func(s feed.Size) func(*Config) { return func(c *Config) { c.MaxObjectBytes = s } }
	st := newFakeStore()
	first := exactSink(t, st, limit(feed.KiB))
	resume(t, first)
	st.before = func(name string) error {
		if strings.Contains(name, "-2.") {
			return fault(failUnavailable)
		}
		return nil
	}
	if err := first.PublishBatch(t.Context(), rangeOf(0, msgs...)); err == nil {
		t.Fatal("publish succeeds")
	}
	st.before = nil
	second := exactSink(t, st, limit(3*feed.KiB/2))
	resume(t, second)
	var config *feed.ConfigError
	if err := second.PublishBatch(t.Context(), rangeOf(0, msgs...)); !errors.As(err, &config) || !strings.Contains(config.Remedy, "once") {
		t.Errorf("publish: %v, want a *feed.ConfigError", err)
	}
	last := exactSink(t, st, limit(feed.KiB)) // the remedy
	resume(t, last)
	publish(t, last, rangeOf(0, msgs...))
	lines := 0
	for _, text := range st.texts() {
		lines += strings.Count(text, "\n")
	}
	if lines != len(msgs) {
		t.Errorf("%d messages have %d lines", len(msgs), lines)
	}
}

// A name that the store never takes ends the route, with what to do.
func TestARefusedNameEndsTheRoute(t *testing.T) {
	st := newFakeStore()
	s := exactSink(t, st, nil)
	resume(t, s)
	st.before = func(string) error { return fault(failRejected) }
	var config *feed.ConfigError
	if err := s.PublishBatch(t.Context(), rangeOf(0, numbered(0, 4)...)); !errors.As(err, &config) || config.Key != "path" {
		t.Errorf("publish: %v, want a *feed.ConfigError of the path", err)
	}
}

func TestCheckpointsThatAreGoneOrBroken(t *testing.T) {
	dir := t.TempDir()
	cfg := exactly(dirConfig(dir))
	file := filepath.Join(dir, ".checkpoint", "plant-archive.json")
	s := openSink(t, cfg)
	resume(t, s)
	publish(t, s, rangeOf(0, numbered(0, 4)...))
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	var config *feed.ConfigError
	if err := s.PublishBatch(t.Context(), rangeOf(4, numbered(4, 4)...)); !errors.As(err, &config) || !strings.Contains(err.Error(), "removed") {
		t.Errorf("publish without the checkpoint: %v, want a *feed.ConfigError", err)
	}
	if _, err := s.Resume(t.Context(), "telemetry"); !errors.As(err, &config) {
		t.Errorf("resume without the checkpoint: %v, want a *feed.ConfigError", err)
	}
	for _, text := range []string{"", "{", `{"format":1,"generation":1,"stream":"telemetry","writer":"w"}`, `{"format":2}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := openSink(t, cfg).Resume(t.Context(), "telemetry"); !errors.As(err, &config) {
			t.Errorf("resume with %q: %v, want a *feed.ConfigError", text, err)
		}
	}
}

// A process that dies while it writes a checkpoint keeps nobody out, and one
// that holds its lock only for a while.
func TestCheckpointLock(t *testing.T) {
	d := newDirectory(t.TempDir())
	const name = ".checkpoint/x.json"
	version, err := d.swap(t.Context(), name, []byte("1"), "")
	if err != nil {
		t.Fatal(err)
	}
	lock, err := lockFile(t.Context(), filepath.Join(d.root, name+".lock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), lockFor/100)
	defer cancel()
	if _, err := d.swap(ctx, name, []byte("2"), version); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("swap while it is locked: %v", err)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.swap(t.Context(), name, []byte("2"), version); err != nil {
		t.Error(err)
	}
	if _, err := d.swap(t.Context(), name, []byte("3"), version); failureOf(err) != failExists {
		t.Errorf("swap of an old version: %v", err)
	}
	if _, err := d.swap(t.Context(), name, []byte("3"), ""); failureOf(err) != failExists {
		t.Errorf("swap of nothing: %v", err)
	}
}

func TestExactlyOnceConfig(t *testing.T) {
	for path, want := range map[string]string{
		DefaultConfig().Path:   "{hash}",
		"{date}/":              "empty segment",
		"{meta.device}/{date}": "",
		"archive":              "",
	} {
		cfg := dirConfig("/out")
		cfg.ExactlyOnce, cfg.Path = true, path
		err := cfg.Validate()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("path %q: %v, want an error with %q", path, err, want)
		}
	}
	s := openSink(t, exactly(dirConfig(t.TempDir())))
	if err := s.Publish("topic", msg("1")); !errors.Is(err, errNoRange) {
		t.Errorf("publish: %v", err)
	}
	if plain := openSink(t, dirConfig(t.TempDir())); plain.Checkpoints() {
		t.Error("a sink without exactlyOnce has checkpoints")
	}
}

// TestParquetExactlyOnce writes ranges as Parquet, in the partitions of hive.
func TestParquetExactlyOnce(t *testing.T) {
	st := newFakeStore()
	s := exactSink(t, st, func(c *Config) { c.Path, c.Format = "hive", FormatParquet })
	resume(t, s)
	publish(t, s, rangeOf(0, numbered(0, 3)...))
	again := exactSink(t, st, func(c *Config) { c.Path, c.Format = "hive", FormatParquet })
	if r := resume(t, again); r.Committed == nil || r.Committed.Offset != 2 {
		t.Fatalf("goes on at %+v", r)
	}
	publish(t, again, rangeOf(3, numbered(3, 2)...))
	all := st.texts()
	for name, rows := range map[string]int{
		"date=2026-11-21/hour=03/telemetry-1-0-2-1.parquet": 3,
		"date=2026-11-21/hour=03/telemetry-1-3-4-1.parquet": 2,
	} {
		if got := decodeParquet(t, []byte(all[name])); len(got) != rows {
			t.Errorf("%s has %d rows, want %d", name, len(got), rows)
		}
	}
	if len(all) != 2 {
		t.Errorf("there are %d objects", len(all))
	}
}
