package quarantine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

func itemOf(reason string, payload int) feed.QuarantineItem {
	it := feed.QuarantineItem{Route: "r", Stage: "s", Reason: reason}
	it.Payload = bytes.Repeat([]byte{'x'}, payload)
	return it
}

func checkTotals(t testing.TB, s *Store, want int64) {
	t.Helper()
	n, err := s.Len(t.Context())
	if err != nil || n != want {
		t.Errorf("the store holds %d items, error %v, want %d", n, err, want)
	}
	var rows, size int64
	if err := s.conn.db.QueryRow(`SELECT count(*), coalesce(sum(bytes), 0) FROM quarantine`).Scan(&rows, &size); err != nil || rows != want {
		t.Errorf("the table has %d rows, error %v, want %d", rows, err, want)
	}
	if b, err := s.Bytes(t.Context()); err != nil || int64(b) != size {
		t.Errorf("bytes %d, error %v, but the rows add up to %d", b, err, size)
	}
}

func TestRoundTrip(t *testing.T) { onBoth(t, testRoundTrip) }

func testRoundTrip(t *testing.T, open opener) {
	s := open(t, nil)
	text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	count := int64(0)
	rapid.Check(t, func(t *rapid.T) {
		items := make([]feed.QuarantineItem, rapid.IntRange(1, 5).Draw(t, "items"))
		for i := range items {
			items[i] = feed.QuarantineItem{
				Original: feed.Original{
					Payload:    rapid.SliceOf(rapid.Byte()).Draw(t, "payload"),
					Format:     text.Draw(t, "format"),
					Properties: rapid.SliceOf(rapid.Byte()).Draw(t, "properties"),
					Origin:     text.Draw(t, "origin"),
				},
				Route: text.Draw(t, "route"), Stage: text.Draw(t, "stage"), Reason: text.Draw(t, "reason"),
				Time: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")),
			}
		}
		ctx := context.Background()
		if err := s.Put(ctx, items); err != nil {
			t.Fatal(err)
		}
		list, err := s.List(ctx, Query{Limit: len(items)})
		if err != nil || len(list) != len(items) {
			t.Fatalf("listed %d items, error %v", len(list), err)
		}
		for i, want := range items {
			listed := list[len(items)-1-i] // the newest first
			got, err := s.Get(ctx, listed.ID)
			if err != nil {
				t.Fatal(err)
			}
			same := bytes.Equal(got.Payload, want.Payload) && got.Format == want.Format && bytes.Equal(got.Properties, want.Properties) &&
				got.Origin == want.Origin && got.Route == want.Route && got.Stage == want.Stage && got.Reason == want.Reason && got.Time.Equal(want.Time)
			if !same {
				t.Fatalf("got %+v, want %+v", got, want)
			}
			if listed.UUID != got.UUID || listed.UUID == "" || listed.Reason != want.Reason || listed.PayloadBytes != int64(len(want.Payload)) || listed.Payload != nil {
				t.Fatalf("listed %+v, want %+v without payload", listed, got)
			}
		}
		count += int64(len(items))
	})
	checkTotals(t, s, count)
}

func TestManyInOnePut(t *testing.T) { onBoth(t, testManyInOnePut) }

func testManyInOnePut(t *testing.T, open opener) {
	s := open(t, nil)
	items := make([]feed.QuarantineItem, 3*insertRows+1)
	for i := range items {
		items[i] = itemOf(fmt.Sprint(i), 1)
	}
	if err := s.Put(t.Context(), items); err != nil {
		t.Fatal(err)
	}
	checkTotals(t, s, int64(len(items)))
	list, err := s.List(t.Context(), Query{Limit: MaxLimit})
	if err != nil {
		t.Fatal(err)
	}
	for i, it := range list {
		if want := fmt.Sprint(len(items) - 1 - i); it.Reason != want {
			t.Fatalf("item %d has reason %s, want %s", i, it.Reason, want)
		}
	}
	if err := s.Put(t.Context(), nil); err != nil {
		t.Errorf("put of nothing: %v", err)
	}
}

// TestAllOrNone makes the second statement of a Put fail.
func TestAllOrNone(t *testing.T) { onBoth(t, testAllOrNone) }

func testAllOrNone(t *testing.T, open opener) {
	s := open(t, nil)
	refuse := `CREATE TRIGGER fail BEFORE INSERT ON quarantine WHEN new.reason = 'fail' BEGIN SELECT RAISE(ABORT, 'as told'); END`
	if s.config.Path == "" {
		refuse = `ALTER TABLE quarantine ADD CONSTRAINT "as told" CHECK (reason <> 'fail')`
	}
	if _, err := s.conn.db.Exec(refuse); err != nil {
		t.Fatal(err)
	}
	items := make([]feed.QuarantineItem, insertRows+10)
	items[insertRows+5].Reason = "fail"
	if err := s.Put(t.Context(), items); err == nil || !strings.Contains(err.Error(), "as told") {
		t.Fatalf("put: %v", err)
	}
	checkTotals(t, s, 0)
	if err := s.Put(t.Context(), items[:3]); err != nil {
		t.Errorf("put after a failure: %v", err)
	}
	checkTotals(t, s, 3)
}

func TestTimeOfPut(t *testing.T) { onBoth(t, testTimeOfPut) }

func testTimeOfPut(t *testing.T, open opener) {
	s := open(t, nil)
	before := time.Now()
	if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1)}); err != nil {
		t.Fatal(err)
	}
	it, err := s.Get(t.Context(), 1)
	if err != nil || it.Time.Before(before.Truncate(time.Microsecond)) || it.Time.After(time.Now()) {
		t.Errorf("time %v, error %v", it.Time, err)
	}
}

func TestList(t *testing.T) { onBoth(t, testList) }

func testList(t *testing.T, open opener) {
	s := open(t, nil)
	for i := range 10 {
		it := itemOf(fmt.Sprint(i), 1)
		it.Route, it.Stage = fmt.Sprintf("route%d", i%2), fmt.Sprintf("stage%d", i%3)
		if err := s.Put(t.Context(), []feed.QuarantineItem{it}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		query Query
		want  string // ids
	}{
		{Query{}, "10 9 8 7 6 5 4 3 2 1"},
		{Query{Limit: 3}, "10 9 8"},
		{Query{Limit: 3, Before: 8}, "7 6 5"},
		{Query{Limit: 3, After: 8}, "9 10"},
		{Query{Limit: 2, After: 3, Before: 9}, "4 5"},
		{Query{Route: "route1"}, "10 8 6 4 2"},
		{Query{Stage: "stage0"}, "10 7 4 1"},
		{Query{Route: "route1", Stage: "stage0"}, "10 4"},
		{Query{Route: "' OR 1 --"}, ""},
	} {
		items, err := s.List(t.Context(), tt.query)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, it := range items {
			ids = append(ids, fmt.Sprint(it.ID))
		}
		if got := strings.Join(ids, " "); got != tt.want {
			t.Errorf("%+v: ids %s, want %s", tt.query, got, tt.want)
		}
	}
	if _, err := s.Get(t.Context(), 11); !errors.Is(err, ErrNotFound) {
		t.Errorf("get of an item that is not there: %v", err)
	}
}

func TestFull(t *testing.T) { onBoth(t, testFull) }

func testFull(t *testing.T, open opener) {
	three := []feed.QuarantineItem{itemOf("1", 100), itemOf("2", 100), itemOf("3", 100)}
	one := rowBytes(toMessage(testFeed, &feed.QuarantineItem{Original: three[0].Original, Route: "r", Stage: "s", Reason: "1", Time: time.Unix(1, 0)}))
	for name, tt := range map[string]struct {
		edit func(*Config)
		fits int // of single items
	}{
		"messages": {func(c *Config) { c.MaxMessages = 5 }, 5},
		"bytes":    {func(c *Config) { c.MaxBytes = feed.Size(5*one + 5*20) }, 5},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tt.edit)
			if err := s.Probe(t.Context()); err != nil {
				t.Fatalf("probe of an empty store: %v", err)
			}
			if err := s.Put(t.Context(), three); err != nil {
				t.Fatal(err)
			}
			err := s.Put(t.Context(), three)
			var full *FullError
			if !errors.Is(err, ErrFull) || !errors.As(err, &full) {
				t.Fatalf("put of three more: %v, want ErrFull", err)
			}
			if full.Messages != 3 || full.NewMessages != 3 || !strings.Contains(err.Error(), "raise maxMessages or maxBytes") || !strings.Contains(err.Error(), s.engine.where()) {
				t.Errorf("error %v", err)
			}
			checkTotals(t, s, 3) // none of the three
			if err := s.Probe(t.Context()); !errors.Is(err, ErrFull) {
				t.Errorf("probe while what was refused does not fit: %v", err)
			}
			fits := 3
			for err = nil; err == nil && fits <= 10; fits++ {
				err = s.Put(t.Context(), []feed.QuarantineItem{{Original: three[0].Original, Route: "r", Stage: "s", Reason: "1", Time: time.Unix(1, 0)}})
			}
			if fits--; fits != tt.fits || !errors.Is(err, ErrFull) {
				t.Errorf("%d items fit, error %v, want %d", fits, err, tt.fits)
			}
			checkTotals(t, s, int64(tt.fits))
			if _, err := s.conn.db.Exec(`DELETE FROM quarantine WHERE id = 1`); err != nil {
				t.Fatal(err)
			}
			checkTotals(t, s, int64(tt.fits-1))
			if err := s.Probe(t.Context()); err != nil {
				t.Errorf("probe after one item left: %v", err)
			}
		})
	}
}

func TestItemThatNeverFits(t *testing.T) { onBoth(t, testItemThatNeverFits) }

func testItemThatNeverFits(t *testing.T, open opener) {
	s := open(t, func(c *Config) { c.MaxBytes = 1000 })
	if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("large", 2000)}); !errors.Is(err, ErrFull) {
		t.Errorf("put: %v", err)
	}
	checkTotals(t, s, 0)
}

func TestConcurrentPut(t *testing.T) { onBoth(t, testConcurrentPut) }

func testConcurrentPut(t *testing.T, open opener) {
	s := open(t, func(c *Config) { c.MaxMessages = 50 })
	var wg sync.WaitGroup
	var mu sync.Mutex
	stored, refused := 0, 0
	for g := range 8 {
		wg.Go(func() {
			for i := range 5 {
				err := s.Put(t.Context(), []feed.QuarantineItem{itemOf(fmt.Sprint(g, i), 10), itemOf(fmt.Sprint(g, i), 10)})
				mu.Lock()
				switch {
				case err == nil:
					stored += 2
				case errors.Is(err, ErrFull):
					refused += 2
				default:
					t.Errorf("put: %v", err)
				}
				mu.Unlock()
				if _, err := s.List(t.Context(), Query{}); err != nil {
					t.Errorf("list: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if stored != 50 || refused != 30 {
		t.Errorf("%d stored, %d refused, want 50 and 30", stored, refused)
	}
	checkTotals(t, s, 50)
}

func TestCanceled(t *testing.T) { onBoth(t, testCanceled) }

func testCanceled(t *testing.T, open opener) {
	s := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, []feed.QuarantineItem{itemOf("x", 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	s.turn <- struct{}{} // someone else's turn
	if err := s.Probe(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("probe: %v", err)
	}
	s.give()
	checkTotals(t, s, 0)
}

func TestReopen(t *testing.T) { onBoth(t, testReopen) }

func testReopen(t *testing.T, open opener) {
	first := open(t, nil)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		s := reopen(t, first.config)
		checkTotals(t, s, int64(i))
		if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1)}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Fatalf("close: %v", err)
			}
		}
		if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1)}); !errors.Is(err, ErrClosed) {
			t.Errorf("put after close: %v", err)
		}
		if err := s.Probe(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("probe after close: %v", err)
		}
	}
}

func TestFilesArePrivate(t *testing.T) {
	s := open(t, nil)
	if err := s.Put(t.Context(), []feed.QuarantineItem{itemOf("x", 1)}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		info, err := os.Stat(s.config.Path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %o", info.Name(), mode)
		}
	}
}

func TestDurableSettings(t *testing.T) {
	s := open(t, nil)
	var journal string
	var synchronous int
	if err := s.conn.db.QueryRow(`SELECT (SELECT * FROM pragma_journal_mode), (SELECT * FROM pragma_synchronous)`).Scan(&journal, &synchronous); err != nil {
		t.Fatal(err)
	}
	if journal != "wal" || synchronous != 2 {
		t.Errorf("journal %s, synchronous %d, want wal and 2 (FULL)", journal, synchronous)
	}
}

func TestValidate(t *testing.T) {
	c := Config{MaxBytes: -1}
	err := c.Validate()
	for _, key := range []string{"path: ", "feed: ", "maxBytes: ", "maxMessages: "} {
		if !strings.Contains(fmt.Sprint(err), key) {
			t.Errorf("%q is not reported in %v", key, err)
		}
	}
	if _, err := Open(t.Context(), c); err == nil {
		t.Error("open took it")
	}
}

func BenchmarkPut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, func(c *Config) { c.MaxMessages, c.MaxBytes = 1<<40, 1<<50 })
			items := make([]feed.QuarantineItem, n)
			for i := range items {
				items[i] = itemOf("no rule matches routing key", 200)
			}
			for b.Loop() {
				if err := s.Put(b.Context(), items); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "items/s")
		})
	}
}
