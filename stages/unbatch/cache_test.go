package unbatch

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// settled returns what a route tells of a frame that it got.
func settled(frame []byte, o feed.Outcome) []feed.Settled {
	return []feed.Settled{{Message: &message.Message{Payload: frame}, Outcome: o}}
}

// wantConflict hands in a frame that contradicts another, in a state.
func wantConflict(t testing.TB, u *Unbatch, frame []byte, state string) {
	t.Helper()
	_, err := u.Handle(&message.Message{Payload: frame})
	if !feed.IsPermanent(err) || !strings.Contains(err.Error(), "conflict: ") || !strings.Contains(err.Error(), state) {
		t.Errorf("%v, want a conflict with what is %s", err, state)
	}
}

func TestRepetitionAndConflict(t *testing.T) {
	edit := withCache(t)
	u := newUnbatch(t, edit)
	first, other := frame(t, batch.Columnar(), 1, readings(10, 20)), frame(t, batch.Columnar(), 1, readings(10, 21))
	next := frame(t, batch.Columnar(), 2, readings(10, 22))

	ids := fmt.Sprint(idsOf(handle(t, u, first)))
	wantConflict(t, u, other, "in flight")
	if again := fmt.Sprint(idsOf(handle(t, u, first))); again != ids {
		t.Errorf("ids %s, then %s", ids, again)
	}
	u.Settled(settled(first, feed.Delivered))
	wantConflict(t, u, other, "delivered")
	if again := fmt.Sprint(idsOf(handle(t, u, first))); again != ids {
		t.Errorf("ids %s, then %s", ids, again)
	}
	handle(t, u, next)
	u.Settled(settled(first, feed.Delivered))
	want := map[string]uint64{eventCorrupt: 0, eventRepeated: 1, eventConflict: 2, eventHeldBack: 0}
	if got := u.Transform().Events(); !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}

	// Another process knows.
	u = newUnbatch(t, edit)
	wantConflict(t, u, other, "delivered")
	handle(t, u, first)
	handle(t, u, frame(t, batch.Columnar(), 2, readings(10, 23))) // next never ended
}

func idsOf(msgs []*message.Message) (ids []string) {
	for _, m := range msgs {
		ids = append(ids, m.UUID)
	}
	return ids
}

// TestTrial: a test of the configuration sees repetitions and conflicts among its
// own batches, and touches no file.
func TestTrial(t *testing.T) {
	c := DefaultConfig()
	withCache(t)(&c)
	u, err := NewUnbatch(c, feed.StageEnv{Trial: true})
	if err != nil {
		t.Fatal(err)
	}
	first := frame(t, batch.Columnar(), 1, readings(10, 20))
	handle(t, u, first)
	u.Settled(settled(first, feed.Delivered))
	handle(t, u, first)
	u.Settled(settled(first, feed.Delivered))
	wantConflict(t, u, frame(t, batch.Columnar(), 1, readings(10, 21)), "delivered")
	if n := u.events.Events()[eventRepeated]; n != 1 {
		t.Errorf("%d batches were repeated", n)
	}
	if err := u.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(c.Cache.Path)); !os.IsNotExist(err) {
		t.Errorf("a test made the directory of the cache: %v", err)
	}
}

// TestOnlyDeliveredCounts: a batch that was filtered or quarantined may be sent
// anew with another content.
func TestOnlyDeliveredCounts(t *testing.T) {
	for _, o := range []feed.Outcome{feed.Filtered, feed.Quarantined} {
		u := newUnbatch(t, withCache(t))
		first, other := frame(t, batch.Columnar(), 1, readings(10, 20)), frame(t, batch.Columnar(), 1, readings(10, 21))
		handle(t, u, first)
		u.Settled(settled(first, o))
		handle(t, u, other)
		wantConflict(t, u, first, "in flight")
	}
}

// fullStore fails as long as it is full.
type fullStore struct {
	cache
	full error
}

func (s *fullStore) write(marks []mark) error {
	if s.full != nil {
		return s.full
	}
	return s.cache.write(marks)
}

// TestFullDiskHoldsBack: while a mark cannot be written no batch is taken, none is
// condemned, and no mark is lost.
func TestFullDiskHoldsBack(t *testing.T) {
	u := newUnbatch(t, withCache(t))
	c := DefaultConfig()
	withCache(t)(&c)
	s := &fullStore{cache: cache{config: c.Cache}, full: errors.New("disk full")}
	u.memory.store = s
	first, other := frame(t, batch.Columnar(), 1, readings(10, 20)), frame(t, batch.Columnar(), 1, readings(10, 21))
	handle(t, u, first)
	u.Settled(settled(first, feed.Delivered))
	for range 3 {
		_, err := u.Handle(&message.Message{Payload: other})
		if !errors.Is(err, s.full) || feed.IsPermanent(err) {
			t.Fatalf("the disk is full: %v, want that as a transient error", err)
		}
	}
	if n := u.events.Events()[eventHeldBack]; n != 3 {
		t.Errorf("counted %d tries", n)
	}
	s.full = nil
	wantConflict(t, u, other, "delivered")

	// Also what is unwritten at the end gets there.
	next := frame(t, batch.Columnar(), 2, readings(10, 20))
	handle(t, u, next)
	s.full = errors.New("disk full")
	u.Settled(settled(next, feed.Delivered))
	s.full = nil
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	again := newUnbatch(t, func(other *Config) { other.Cache = c.Cache })
	wantConflict(t, again, frame(t, batch.Columnar(), 2, readings(10, 21)), "delivered")
}

// TestUnusableFile: neither is a batch condemned for the cache's sake, nor is a
// file touched that is another's.
func TestUnusableFile(t *testing.T) {
	dir := t.TempDir()
	foreign, text, under := filepath.Join(dir, "foreign.db"), filepath.Join(dir, "text"), filepath.Join(dir, "text", "batches.db")
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE batches (x)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(foreign)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{foreign: "choose another path", text: "not a database", under: "not a directory"} {
		u := newUnbatch(t, func(c *Config) { c.Cache.Path = path })
		for range 2 {
			_, err := u.Handle(&message.Message{Payload: frame(t, batch.Columnar(), 1, readings(10, 20))})
			if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want a transient error with %q", path, err, want)
			}
			if path == foreign && strings.Contains(err.Error(), "removed") {
				t.Errorf("%v: it invites to remove what is another's", err)
			}
		}
	}
	if after, err := os.ReadFile(foreign); err != nil || !bytes.Equal(after, before) {
		t.Errorf("another's file was changed, or %v", err)
	}
}

// TestOtherVersion: the cache of another version is not changed; its remedy is named.
func TestOtherVersion(t *testing.T) {
	edit := withCache(t)
	u := newUnbatch(t, edit)
	first := frame(t, batch.Columnar(), 1, readings(10, 20))
	handle(t, u, first)
	if _, err := u.memory.store.(*cache).db.Exec(`PRAGMA user_version = 2`); err != nil {
		t.Fatal(err)
	}
	if err := u.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := newUnbatch(t, edit).Handle(&message.Message{Payload: first})
	if err == nil || feed.IsPermanent(err) || !strings.Contains(err.Error(), "another version of feed (2, this one knows 1): remove it") {
		t.Errorf("%v, want a transient error with the remedy", err)
	}
}

// TestFileIsBounded: the oldest marks make room, the newest are there.
func TestFileIsBounded(t *testing.T) {
	config := Cache{Path: filepath.Join(t.TempDir(), "batches.db"), MaxBytes: feed.MiB}
	c := &cache{config: config}
	const marks = 12_000
	device := strings.Repeat("d", 100)
	var some []mark
	for i := range marks {
		some = append(some, mark{name{device, uint64(i)}, checksum{byte(i)}})
		if len(some) == 200 {
			if err := c.write(some); err != nil {
				t.Fatalf("after %d marks: %v", i, err)
			}
			some = some[:0]
		}
	}
	for _, want := range []struct {
		sequence uint64
		known    bool
	}{{0, false}, {marks - 1, true}, {marks - 1000, true}} {
		sum, known, err := c.lookup(name{device, want.sequence})
		if err != nil || known != want.known || known && sum[0] != byte(want.sequence) {
			t.Errorf("mark %d: %x %v %v, want %v", want.sequence, sum[:1], known, err, want.known)
		}
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(config.Path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > int64(config.MaxBytes) || info.Size() < int64(config.MaxBytes)/2 {
		t.Errorf("the file has %d bytes, %d are allowed", info.Size(), config.MaxBytes)
	}
}

// TestMaxAge: what is older does not count, and is removed in time.
func TestMaxAge(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	c := &cache{config: Cache{Path: filepath.Join(t.TempDir(), "batches.db"), MaxBytes: minCacheBytes, MaxAge: time.Hour}, now: func() time.Time { return now }}
	put := func(sequence uint64) {
		t.Helper()
		if err := c.write([]mark{{name{"d", sequence}, checksum{1}}}); err != nil {
			t.Fatal(err)
		}
	}
	known := func(sequence uint64, want bool) {
		t.Helper()
		if _, got, err := c.lookup(name{"d", sequence}); err != nil || got != want {
			t.Errorf("mark %d: %v, %v, want %v", sequence, got, err, want)
		}
	}
	put(1)
	put(2)
	now = now.Add(time.Hour)
	known(1, true)
	put(2) // again, and so the newest
	now = now.Add(time.Second)
	known(1, false)
	known(2, true)
	put(3)
	var n int
	if err := c.db.QueryRow(`SELECT count(*) FROM batches`).Scan(&n); err != nil || n != 2 {
		t.Errorf("%d marks, %v, want 2", n, err)
	}
	if err := c.close(); err != nil {
		t.Error(err)
	}
}

// TestGivenBack: a batch that was given back, of which nobody tells, is not in
// flight for ever: neither does another with its number contradict it, nor do such
// batches gather.
func TestGivenBack(t *testing.T) {
	now := time.Now()
	m := newMemory(passing{})
	m.now = func() time.Time { return now }
	first, other := batch.Envelope{Device: "d", Sequence: 1}, batch.Envelope{Device: "d", Sequence: 1, Checksum: checksum{1}}
	m.started(&first)
	now = now.Add(longestFlight - 1)
	if _, err := m.check(&other); !feed.IsPermanent(err) {
		t.Errorf("%v, want a conflict with what is in flight", err)
	}
	m.started(&first) // it has come again
	now = now.Add(longestFlight - 1)
	if _, err := m.check(&other); !feed.IsPermanent(err) {
		t.Errorf("%v, want a conflict with what is in flight again", err)
	}
	now = now.Add(1)
	if repeated, err := m.check(&other); repeated || err != nil {
		t.Errorf("%v, %v, want that it is new", repeated, err)
	}
	for i := range uint64(20 * leastSweep) {
		m.started(&batch.Envelope{Device: "d", Sequence: i})
		now = now.Add(longestFlight / leastSweep)
	}
	if n := len(m.inFlight); n > 2*leastSweep {
		t.Errorf("%d batches are remembered, %d of them started in time", n, leastSweep)
	}
}
