package postgres

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time of the tests.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// configOf returns a configuration for a database.
func configOf(url string) Config {
	c := DefaultConfig()
	c.URL = feed.NewURL(url)
	return c
}

// openSink returns a sink whose clock stands at noon, and closes it after the test.
// The server's clock agrees with it.
func openSink(t testing.TB, c Config) *Sink {
	t.Helper()
	s, err := NewSink(c, feed.StageEnv{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return noon }
	s.writer.clocks.ask = func(context.Context, *session) (time.Time, error) { return s.now(), nil }
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close sink: %v", err)
		}
	})
	return s
}

// newSink returns a sink on a database of its own.
func newSink(t testing.TB, edit func(*Config)) *Sink {
	t.Helper()
	c := configOf(testenv.PostgreSQL(t).URL())
	if edit != nil {
		edit(&c)
	}
	return openSink(t, c)
}

func openReader(t testing.TB, c Config) *Reader {
	t.Helper()
	r, err := OpenReader(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Errorf("close reader: %v", err)
		}
	})
	return r
}

// series50 returns n readings of 50 series, from number first on, a millisecond
// apart.
func series50(first, n int) []reading.Reading {
	rs := make([]reading.Reading, n)
	for i := range rs {
		k := first + i
		rs[i] = reading.Reading{
			Site: "plant1", Line: fmt.Sprintf("line%d", k%5), Device: fmt.Sprintf("device%02d", k%50), Tag: "temperature",
			Time: noon.UnixNano() + int64(k)*1e6, Value: reading.OfFloat(float64(k) / 10), Quality: "good", Seq: uint64(k),
		}
	}
	return rs
}

func messagesOf(rs []reading.Reading) []*message.Message {
	ms := make([]*message.Message, len(rs))
	for i := range rs {
		ms[i] = &message.Message{Payload: rs[i].AppendJSON(nil)}
	}
	return ms
}

func publish(ctx context.Context, s *Sink, rs ...reading.Reading) error {
	return s.PublishBatch(ctx, feed.NewBatch(messagesOf(rs)...))
}

func mustPublish(t testing.TB, s *Sink, rs ...reading.Reading) {
	t.Helper()
	if err := publish(t.Context(), s, rs...); err != nil {
		t.Fatalf("publish: %v", err)
	}
}

// all returns what a query selects.
func all(t testing.TB, r *Reader, q Query) []reading.Reading {
	t.Helper()
	var rs []reading.Reading
	for got, err := range r.Readings(t.Context(), q) {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		rs = append(rs, got)
	}
	return rs
}

// stored returns all readings behind a sink by their sequence numbers, which
// must be different.
func stored(t testing.TB, c Config) map[uint64]reading.Reading {
	t.Helper()
	bySeq := map[uint64]reading.Reading{}
	for _, r := range all(t, openReader(t, c), Query{}) {
		if other, ok := bySeq[r.Seq]; ok {
			t.Fatalf("%+v and %+v are stored", other, r)
		}
		bySeq[r.Seq] = r
	}
	return bySeq
}

// checkStored compares what is stored with what is wanted.
func checkStored(t testing.TB, c Config, want ...reading.Reading) {
	t.Helper()
	got := stored(t, c)
	if len(got) != len(want) {
		t.Errorf("%d readings are stored, want %d", len(got), len(want))
	}
	for _, w := range want {
		if got[w.Seq] != w {
			t.Fatalf("stored is %+v, want %+v", got[w.Seq], w)
		}
	}
}

// exec runs statements on a connection of its own, as the superuser.
func exec(t testing.TB, c Config, sql string) {
	t.Helper()
	url, err := c.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, sql := range []string{"SET search_path = telemetry", sql} {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// query returns the one value that a statement selects.
func query[T any](t testing.TB, c Config, sql string, args ...any) (v T) {
	t.Helper()
	url, err := c.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}
