package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// untilStored publishes until it succeeds, as a route does. Nothing may fail for
// ever.
func untilStored(t *testing.T, s *Sink, rs []reading.Reading) (tries int) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(time.Minute)
	for {
		tries++
		err := publish(t.Context(), s, rs...)
		if err == nil {
			return tries
		}
		if errors.As(err, new(*feed.BatchError)) || feed.IsPermanent(err) {
			t.Fatalf("publish: %v, want an error that passes", err)
		}
		if time.Now().After(deadline) {
			t.Fatalf("publish: %v", err)
		}
		<-tick.C
	}
}

// TestKilledServer kills the server under load, again and again: what was
// published is there afterwards, once.
func TestKilledServer(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivatePostgreSQL(t)
	c := configOf(server.URL())
	s := openSink(t, c)
	mustPublish(t, s, series50(0, 1)...)
	const batches, size, kills = 400, 100, 4
	progress := make(chan int)
	done := make(chan struct{})
	tries := 0
	go func() {
		defer close(done)
		for b := range batches {
			// Half of each batch was in the one before.
			tries += untilStored(t, s, series50(b*size/2, size))
			select {
			case progress <- b:
			default:
			}
		}
	}()
	for range kills {
		for range 2 {
			select {
			case <-progress:
			case <-done:
				t.Fatal("all batches were stored before the last kill")
			}
		}
		server.Kill()
		server.Start()
	}
	<-done
	if tries == batches {
		t.Error("no kill hit a batch: the test shows nothing")
	}
	t.Logf("%d tries for %d batches", tries, batches)
	checkStored(t, c, series50(0, (batches+1)*size/2)...)
}

// TestFullDisk: the disk is full, and has room again.
func TestFullDisk(t *testing.T) {
	t.Parallel() // it waits most of the time
	server := testenv.PrivatePostgreSQL(t)
	disk := server.TinyDisk(32 << 20)
	s := openSink(t, configOf(server.URL()))
	mustPublish(t, s, series50(0, 1)...)
	disk.Fill(0)
	rs := series50(0, 5000)
	err := publish(t.Context(), s, rs...)
	if err == nil || feed.IsPermanent(err) || errors.As(err, new(*feed.BatchError)) || !strings.Contains(err.Error(), "make room on the server's disk") {
		t.Fatalf("publish to a full disk: %v", err)
	}
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), stateDiskFull) {
		t.Errorf("probe of a full disk: %v", err)
	}
	disk.Free()
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	mustPublish(t, s, rs...)
	checkStored(t, s.config, rs...)
}

// TestLostAnswer: the server commits, and nobody learns of it.
func TestLostAnswer(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	proxy := testenv.Proxy(t, db.Addr)
	s := openSink(t, configOf(db.URLAt(proxy.Addr)))
	direct := configOf(db.URL())
	mustPublish(t, s, series50(0, 50)...)
	proxy.BlockReplies()
	result := make(chan error, 1)
	rs := series50(50, 2000)
	go func() { result <- publish(context.WithoutCancel(t.Context()), s, rs...) }()
	testenv.Eventually(t, time.Minute, "the commit", func() bool {
		return query[int](t, direct, `SELECT count(*) FROM telemetry.points`) == 50+len(rs)
	})
	proxy.Cut()
	if err := <-result; err == nil || feed.IsPermanent(err) {
		t.Errorf("publish without an answer: %v", err)
	}
	proxy.Unblock()
	mustPublish(t, s, rs...)
	checkStored(t, direct, append(series50(0, 50), rs...)...)
}

// TestCutRequest: the connection breaks while the server works, when a part of the
// batch has been committed.
func TestCutRequest(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	proxy := testenv.Proxy(t, db.Addr)
	s := openSink(t, configOf(db.URLAt(proxy.Addr)))
	direct := configOf(db.URL())
	rs := series50(0, statementPoints+50)
	mustPublish(t, s, rs[:50]...)
	// Somebody else is about to insert a row of the last statement.
	conn, err := pgx.Connect(t.Context(), db.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), `
		INSERT INTO telemetry.points (ts, seq, series, place, ns, quality)
		SELECT ts + interval '10 s', seq + 10000, series, place, ns, quality FROM telemetry.points WHERE seq = -9223372036854775808 + 25`); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- publish(context.WithoutCancel(t.Context()), s, rs...) }()
	testenv.Eventually(t, time.Minute, "the server to wait", func() bool {
		return query[bool](t, direct, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'datafeed' AND wait_event_type = 'Lock' AND datname = current_database())`)
	})
	proxy.Cut()
	if err := <-result; err == nil || feed.IsPermanent(err) {
		t.Errorf("publish over a connection that was cut: %v", err)
	}
	if n := query[int](t, direct, `SELECT count(*) FROM telemetry.points`); n != statementPoints {
		t.Errorf("%d readings are stored, want %d", n, statementPoints)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustPublish(t, s, rs...)
	checkStored(t, direct, rs...)
}

// TestHungServer: a server that does not answer holds nobody for longer than the
// timeout, or than the caller wants to wait.
func TestHungServer(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	proxy := testenv.Proxy(t, db.Addr)
	mustPublish(t, openSink(t, configOf(db.URL())), series50(0, 50)...) // makes the tables, which may take longer
	c := configOf(db.URLAt(proxy.Addr))
	c.Timeout = 100 * time.Millisecond
	s := openSink(t, c)
	untilStored(t, s, series50(0, 50))
	proxy.Block()
	if err := publish(t.Context(), s, series50(50, 50)...); err == nil || !strings.Contains(err.Error(), "has not answered within 100ms") {
		t.Errorf("publish: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := publish(ctx, s, series50(50, 50)...); !errors.Is(err, context.Canceled) {
		t.Errorf("publish: %v, want the context's error", err)
	}
	proxy.Cut()
	proxy.Unblock()
	untilStored(t, s, series50(50, 50))
	checkStored(t, configOf(db.URL()), series50(0, 100)...)
}

// TestCloseOfHungServer: to close a sink ends what waits for a server, and leaves
// nothing behind, although nobody answers.
func TestCloseOfHungServer(t *testing.T) {
	t.Parallel() // it waits most of the time
	db := testenv.PostgreSQL(t)
	proxy := testenv.Proxy(t, db.Addr)
	s := openSink(t, configOf(db.URLAt(proxy.Addr)))
	mustPublish(t, s, series50(0, 50)...)
	proxy.Block()
	result := make(chan error, 1)
	go func() { result <- publish(context.WithoutCancel(t.Context()), s, series50(50, 50)...) }()
	testenv.Eventually(t, time.Minute, "the batch to be under way", func() bool {
		if s.mu.TryLock() {
			s.mu.Unlock()
			return false
		}
		return true
	})
	start := time.Now()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("publish: %v, want %v", err, ErrClosed)
	}
	if d := time.Since(start); d > 5*farewell {
		t.Errorf("close took %v", d)
	}
}

// TestReadOnlyServer: a failover, or a provider that stops writes, passes.
func TestReadOnlyServer(t *testing.T) {
	s := newSink(t, nil)
	mustPublish(t, s, series50(0, 10)...)
	name := query[string](t, s.config, `SELECT current_database()`)
	exec(t, s.config, `ALTER DATABASE `+name+` SET default_transaction_read_only = on;
		SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'datafeed' AND datname = current_database()`)
	for range 2 { // the first one finds the connection broken
		err := publish(t.Context(), s, series50(0, 20)...)
		if err == nil || feed.IsPermanent(err) || errors.As(err, new(*feed.BatchError)) {
			t.Fatalf("publish: %v, want an error that passes", err)
		}
	}
	if err := s.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "name the primary") {
		t.Errorf("probe: %v", err)
	}
	exec(t, s.config, `BEGIN READ WRITE; ALTER DATABASE `+name+` RESET default_transaction_read_only; COMMIT`)
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	mustPublish(t, s, series50(0, 20)...)
	checkStored(t, s.config, series50(0, 20)...)
}

// TestDropped: somebody drops a partition, or all there is, under a live feed.
func TestDropped(t *testing.T) {
	s := newSink(t, nil)
	mustPublish(t, s, series50(0, 10)...)
	exec(t, s.config, `DROP TABLE points_20261121_000000`)
	if tries := untilStored(t, s, series50(0, 20)); tries > 2 {
		t.Errorf("%d tries", tries)
	}
	checkStored(t, s.config, series50(0, 20)...)
	exec(t, s.config, `DROP SCHEMA telemetry CASCADE`)
	if tries := untilStored(t, s, series50(10, 20)); tries > 2 {
		t.Errorf("%d tries", tries)
	}
	checkStored(t, s.config, series50(10, 20)...)
}
