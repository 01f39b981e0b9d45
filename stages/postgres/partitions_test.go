package postgres

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
)

// at returns a reading of a time.
func at(when time.Time, seq uint64) reading.Reading {
	return reading.Reading{Device: "d", Tag: "t", Time: when.UnixNano(), Seq: seq}
}

// partitionsOf lists what there is, by their names.
func partitionsOf(t *testing.T, c Config) string {
	t.Helper()
	return query[string](t, c, `SELECT coalesce(string_agg(replace(name::text, 'telemetry.points_', ''), ' ' ORDER BY lower), '') FROM telemetry.partitions`)
}

// TestPartitions: made ahead, on demand, and dropped when all in them is too old.
func TestPartitions(t *testing.T) {
	s := newSink(t, func(c *Config) { c.MaxAhead, c.MaxAge, c.Retention = 72*time.Hour, 30*day, 3*day })
	mustPublish(t, s, at(noon, 1))
	if got, want := partitionsOf(t, s.config), "20261121_000000 20261122_000000"; got != want {
		t.Fatalf("partitions %s, want %s", got, want)
	}
	mustPublish(t, s, at(noon.Add(-3*day), 2), at(noon.Add(3*day), 3))
	if got, want := partitionsOf(t, s.config), "20261118_000000 20261121_000000 20261122_000000 20261124_000000"; got != want {
		t.Fatalf("partitions %s, want %s", got, want)
	}
	// Upkeep is due again when it is: nothing is dropped before.
	now := noon.Add(upkeepInterval - 1)
	s.now = func() time.Time { return now }
	mustPublish(t, s, at(now, 4))
	now = noon.Add(12*time.Hour - 1)
	mustPublish(t, s, at(now, 5))
	if got, want := partitionsOf(t, s.config), "20261118_000000 20261121_000000 20261122_000000 20261124_000000"; got != want {
		t.Fatalf("partitions %s, want %s", got, want)
	}
	now = noon.Add(12 * time.Hour).Add(upkeepInterval)
	mustPublish(t, s, at(now, 6))
	if got, want := partitionsOf(t, s.config), "20261121_000000 20261122_000000 20261123_000000 20261124_000000"; got != want {
		t.Fatalf("partitions %s, want %s", got, want)
	}
	now = noon.Add(8 * day)
	mustPublish(t, s, at(now, 7))
	if got, want := partitionsOf(t, s.config), "20261129_000000 20261130_000000"; got != want {
		t.Fatalf("partitions %s, want %s", got, want)
	}
	checkStored(t, s.config, at(now, 7))
}

// TestTimes: what is too old or too new is refused, and makes no partition.
func TestTimes(t *testing.T) {
	s := newSink(t, func(c *Config) { c.Retention = 10 * day })
	fs := failuresOf(t, s,
		at(noon.Add(-10*day-1), 1), at(noon.Add(-10*day), 2), at(noon.Add(day), 3), at(noon.Add(day+1), 4),
		reading.Reading{Device: "d", Tag: "t", Time: most, Seq: 5}, reading.Reading{Device: "d", Tag: "t", Time: least, Seq: 6})
	want := []string{"beyond the retention of 240h", "more than maxAhead (24h0m0s) in the future", "the reading is of 2262", "the reading is of 1677"}
	if len(fs) != len(want) {
		t.Fatalf("failures %v", fs)
	}
	for i, w := range want {
		if !strings.Contains(fs[i].Err.Error(), w) {
			t.Errorf("%v, want %q", fs[i].Err, w)
		}
	}
	checkStored(t, s.config, at(noon.Add(-10*day), 2), at(noon.Add(day), 3))
	if got, want := partitionsOf(t, s.config), "20261111_000000 20261121_000000 20261122_000000"; got != want {
		t.Errorf("partitions %s, want %s", got, want)
	}
	s = newSink(t, func(c *Config) { c.MaxAge = 5 * day })
	if fs := failuresOf(t, s, at(noon.Add(-5*day-1), 1)); len(fs) != 1 || !strings.Contains(fs[0].Err.Error(), "more than maxAge (120h0m0s) ago") {
		t.Errorf("failures %v", fs)
	}
}

// TestPartitionWidth: partitions of a new width fill what those of the old one
// have left, and overlap none.
func TestPartitionWidth(t *testing.T) {
	s := newSink(t, func(c *Config) { c.MaxAge = 30 * day })
	mustPublish(t, s, at(noon, 1), at(noon.Add(-3*day), 2))
	c := s.config
	c.Partition = 7 * day // Monday to Sunday
	week := openSink(t, c)
	rs := []reading.Reading{at(noon.Add(-day), 3), at(noon.Add(-4*day), 4), at(noon.Add(-12*day), 5), at(noon.Add(-5*day-12*time.Hour), 6)}
	mustPublish(t, week, rs...)
	const want = "20261109_000000 20261116_000000 20261118_000000 20261119_000000 20261121_000000 20261122_000000 20261123_000000"
	if got := partitionsOf(t, c); got != want {
		t.Errorf("partitions %s, want %s", got, want)
	}
	c.Partition = time.Hour
	mustPublish(t, openSink(t, c), at(noon.Add(-20*day), 7))
	if got := partitionsOf(t, c); got != "20261101_120000 "+want {
		t.Errorf("partitions %s, want one more than %s", got, want)
	}
	checkStored(t, c, append(rs, at(noon, 1), at(noon.Add(-3*day), 2), at(noon.Add(-20*day), 7))...)
}

// holdPoints reads points in a transaction that stays open until release, or the
// end of the test.
func holdPoints(t *testing.T, c Config) (release func()) {
	t.Helper()
	url, err := c.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if _, err := conn.Exec(t.Context(), `BEGIN; SELECT * FROM telemetry.points`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.Exec(t.Context(), `COMMIT`); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPartitionsUnderLoad: several feeds need the same new partitions at once,
// while somebody reads for long.
func TestPartitionsUnderLoad(t *testing.T) {
	t.Parallel() // it waits most of the time
	first := newSink(t, nil)
	mustPublish(t, first, at(noon, 0))
	holdPoints(t, first.config)
	var wg sync.WaitGroup
	for feedNo := range 4 {
		s := openSink(t, first.config)
		wg.Go(func() {
			for d := range 20 {
				if err := publish(context.WithoutCancel(t.Context()), s, at(noon.Add(time.Duration(-d)*day), uint64(1+d*10+feedNo))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := stored(t, first.config); len(got) != 81 {
		t.Errorf("%d readings are stored, want 81", len(got))
	}
	if n := query[int](t, first.config, `SELECT count(*) FROM telemetry.partitions`); n != 21 {
		t.Errorf("%d partitions, want 21", n)
	}
}

// logged keeps what is logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// TestRetentionWaits: a partition that is being read is dropped later, and
// readings are stored meanwhile.
func TestRetentionWaits(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newSink(t, func(c *Config) { c.Retention = 2 * day })
	var log logged
	s.writer.logger = slog.New(slog.NewTextHandler(&log, nil))
	mustPublish(t, s, at(noon.Add(-day), 1), at(noon, 2))
	release := holdPoints(t, s.config)
	now := noon.Add(2 * day)
	s.now = func() time.Time { return now }
	mustPublish(t, s, at(now, 3))
	if !strings.Contains(log.text.String(), "lock timeout") {
		t.Errorf("logged was: %s", log.text.String())
	}
	release()
	now = now.Add(upkeepInterval)
	mustPublish(t, s, at(now, 4))
	if !strings.Contains(log.text.String(), "partition=points_20261120_000000") {
		t.Errorf("logged was: %s", log.text.String())
	}
	if got, want := partitionsOf(t, s.config), "20261121_000000 20261122_000000 20261123_000000 20261124_000000"; got != want {
		t.Errorf("partitions %s, want %s", got, want)
	}
}

// TestTwoRetentions: of two feeds that write into one schema the one that wants
// readings kept for longer has its way, and the other is told.
func TestTwoRetentions(t *testing.T) {
	feedOf := func(name string, c Config, log *logged) *Sink {
		s := openSink(t, c)
		s.writer.feed, s.writer.logger = name, slog.New(slog.NewTextHandler(log, nil))
		s.now = func() time.Time { return noon.Add(5 * day) }
		return s
	}
	first := newSink(t, func(c *Config) { c.Retention = 10 * day })
	mustPublish(t, first, at(noon, 1))
	c := first.config
	expect := func(s *Sink, log *logged, partitions string, logs ...string) {
		t.Helper()
		s.writer.nextUpkeep = time.Time{}
		mustPublish(t, s, at(noon.Add(5*day), 2))
		if got := partitionsOf(t, c); got != partitions {
			t.Errorf("partitions %s, want %s", got, partitions)
		}
		for _, want := range logs {
			if strings.Count(log.text.String(), want) != 1 {
				t.Errorf("logged was %s, want %q once", log.text.String(), want)
			}
		}
	}
	const kept, dropped = "20261121_000000 20261122_000000 20261126_000000 20261127_000000", "20261126_000000 20261127_000000"
	var log, otherLog logged
	c.Retention = 2 * day
	shorter := feedOf("shorter/r", c, &log)
	expect(shorter, &log, kept, "retention=48h0m0s kept=240h0m0s for=/ ")
	c.Retention = 0
	forEver := feedOf("for ever/r", c, &otherLog)
	expect(forEver, &otherLog, kept)
	exec(t, c, `DELETE FROM retentions WHERE feed = '/'`) // the first one is gone
	const told = `kept="for ever" for="for ever/r"`
	expect(shorter, &log, kept, told)
	expect(shorter, &log, kept, told)
	if text := otherLog.text.String(); strings.Contains(text, "retention") {
		t.Errorf("the feed that has its way is told: %s", text)
	}
	c.Retention = 2 * day // the other one is given the same
	expect(feedOf("for ever/r", c, &otherLog), &otherLog, dropped)
}

// TestDetachedPartition: somebody detaches a partition and keeps its table, or is
// about to. Readings of its time are stored in a new one, and the table is left
// as it is.
func TestDetachedPartition(t *testing.T) {
	t.Parallel() // it waits most of the time
	s := newSink(t, nil)
	yesterday := noon.Add(-day)
	mustPublish(t, s, at(yesterday, 1), at(noon, 2))
	exec(t, s.config, `ALTER TABLE points DETACH PARTITION points_20261120_000000`)
	if tries := untilStored(t, s, []reading.Reading{at(yesterday, 3), at(noon, 4)}); tries > 2 {
		t.Errorf("%d tries", tries)
	}
	checkStored(t, s.config, at(noon, 2), at(yesterday, 3), at(noon, 4))
	exec(t, s.config, `ALTER TABLE points DETACH PARTITION points_20261120_000000_2`)
	release := holdPoints(t, s.config)
	impatient := s.config
	impatient.Timeout = 300 * time.Millisecond
	if err := deny(t, impatient, `ALTER TABLE points DETACH PARTITION points_20261121_000000 CONCURRENTLY`); err == nil || !strings.Contains(err.Error(), "statement timeout") {
		t.Fatalf("detach a partition that is read: %v", err)
	}
	release()
	if tries := untilStored(t, s, []reading.Reading{at(yesterday, 5), at(noon, 6)}); tries > 2 {
		t.Errorf("%d tries", tries)
	}
	checkStored(t, s.config, at(yesterday, 5), at(noon, 6))
	if got, want := partitionsOf(t, s.config), "20261120_000000_3 20261121_000000_2 20261122_000000"; got != want {
		t.Errorf("partitions %s, want %s", got, want)
	}
	const kept = `SELECT (SELECT count(*) FROM telemetry.points_20261120_000000) * 100 + (SELECT count(*) FROM telemetry.points_20261120_000000_2) * 10 + (SELECT count(*) FROM telemetry.points_20261121_000000)`
	if n := query[int](t, s.config, kept); n != 112 {
		t.Errorf("the detached tables have %03d rows, want 112", n)
	}
}

// TestRefusedPartitions: whoever may not make partitions is told what is missing.
func TestRefusedPartitions(t *testing.T) {
	s := newSink(t, nil)
	mustPublish(t, s, at(noon, 1))
	exec(t, s.config, `CREATE OR REPLACE FUNCTION ensure_partition(at timestamptz, width interval) RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE insufficient_privilege; END $$`)
	err := publish(t.Context(), s, at(noon.Add(-5*day), 2))
	if err == nil || feed.IsPermanent(err) || errors.As(err, new(*feed.BatchError)) || !strings.Contains(err.Error(), "make the partition for 2026-11-16") || !strings.Contains(err.Error(), "grant what docs/postgres.md lists") {
		t.Errorf("publish: %v", err)
	}
	mustPublish(t, s, at(noon, 3))
}
