package quarantine

import (
	"context"
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// proxy stands between a store and its database, and counts what the database
// sends.
type proxy struct {
	net.Listener
	received atomic.Int64
	running  sync.WaitGroup
	silent   atomic.Bool   // accepts, and lets nothing through
	ending   chan struct{} // closed when the test is over
}

// through returns a configuration that reaches its database through a proxy.
func through(t *testing.T, c Config) (*proxy, Config) {
	t.Helper()
	text, err := c.Postgres.URL.Reveal()
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: listener, ending: make(chan struct{})}
	database := u.Host
	p.running.Go(func() {
		for {
			client, err := p.Accept()
			if err != nil {
				return // the test is over
			}
			p.running.Go(func() { p.carry(t, client, database) })
		}
	})
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		close(p.ending)
		p.running.Wait()
	})
	u.Host = p.Addr().String()
	c.Postgres.URL = feed.NewURL(u.String())
	return p, c
}

// carry copies both ways until the client has ended.
func (p *proxy) carry(t *testing.T, client net.Conn, database string) {
	defer client.Close()
	server, err := net.Dial("tcp", database)
	if err != nil {
		t.Error(err)
		return
	}
	p.running.Go(func() {
		_, _ = io.Copy(client, io.TeeReader(server, p)) // ends with either connection
	})
	_, _ = io.Copy(server, silencer{p, client}) // the same
	_ = server.Close()
}

// silencer reads from a client until the proxy falls silent.
type silencer struct {
	proxy  *proxy
	client io.Reader
}

// Read waits for the end of the test once the proxy is silent.
func (s silencer) Read(b []byte) (int, error) {
	n, err := s.client.Read(b)
	if s.proxy.silent.Load() {
		<-s.proxy.ending
		return 0, io.EOF
	}
	return n, err
}

// Write counts.
func (p *proxy) Write(b []byte) (int, error) {
	p.received.Add(int64(len(b)))
	return len(b), nil
}

// TestFetchReadsWhatItReturns checks that a page of large payloads is not read
// from the database when a few of them are asked for.
func TestFetchReadsWhatItReturns(t *testing.T) {
	p, c := through(t, postgresConfig(t))
	s := reopen(t, c)
	const size = 256 << 10
	items := make([]feed.QuarantineItem, 40)
	for i := range items {
		items[i] = itemOf("large", size)
	}
	put(t, s, items...)
	before := p.received.Load()
	got, err := s.Fetch(t.Context(), Query{}, size+size/2)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d items, error %v, want 2", len(got), err)
	}
	if read := p.received.Load() - before; read > 5*size { // PostgreSQL sends bytes as they are, or in hex
		t.Errorf("%d bytes were read for two items of %d", read, size)
	}
}

// TestMarkEndsWithoutAnAnswer checks that all tries to mark together have a bound
// when the database is there and does not answer.
func TestMarkEndsWithoutAnAnswer(t *testing.T) {
	p, c := through(t, postgresConfig(t))
	fill(t, reopen(t, c), 1)
	e, err := OpenEditor(t.Context(), c.Place())
	if err != nil {
		t.Fatal(err)
	}
	e.within = 300 * time.Millisecond
	run := e.Replay("x", "y")
	p.silent.Store(true)
	begun := time.Now()
	done, err := run.Mark(context.WithoutCancel(t.Context()), []int64{1})
	if done != 0 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%d marked, error %v", done, err)
	}
	if took := time.Since(begun); took > connectTimeout/2 {
		t.Errorf("it took %v", took)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}
