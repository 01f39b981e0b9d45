package cloudapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestRestart: data, tokens and cursors outlive the server.
func TestRestart(t *testing.T) {
	dir := t.TempDir()
	a := start(t, Options{Data: dir})
	a.frame(t, 1, seconds("d", 0, 10)...).took(t, 10, 0)
	first := a.page(t, url.Values{"limit": {"4"}})
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}
	b := start(t, Options{Data: filepath.Join(dir, "readings.db")})
	b.tokens = a.tokens
	if got := b.all(t, url.Values{"cursor": {first.next}}); !slices.Equal(got, seconds("d", 4, 10)) {
		t.Errorf("then %+v", got)
	}
	if got, mark := b.Stats().Readings, b.watermark(t); got != 10 || mark != first.watermark {
		t.Errorf("%d readings, watermark %s, want 10 and %s", got, mark, first.watermark)
	}
	b.frame(t, 1, seconds("d", 0, 10)...).took(t, 0, 10)
}

// TestAnsweredIsStored: what the files hold at the moment of an answer is enough
// to find the delivery again, as after a crash.
func TestAnsweredIsStored(t *testing.T) {
	a := start(t, Options{Data: filepath.Join(t.TempDir(), "readings.db"), Faults: &Faults{OneIn: 1, Duplicate: 1}})
	a.frame(t, 1, seconds("d", 0, 10)...).took(t, 10, 0)
	crashed := filepath.Join(t.TempDir(), "readings.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(a.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(crashed+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := start(t, Options{Data: crashed})
	if got, want := b.all(t, url.Values{}), a.all(t, url.Values{}); !slices.Equal(got, want) || len(got) != 11 {
		t.Errorf("%d readings after the crash, %d before", len(got), len(want))
	}
	if got := b.watermark(t); got != "1970-01-01T00:00:09Z" {
		t.Errorf("watermark %q", got)
	}
}

func TestTemporaryDataIsRemoved(t *testing.T) {
	s, err := Start(Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.Clients() {
		if secret, err := c.Secret.Reveal(); err != nil || len(secret) < 20 {
			t.Errorf("client %s has a secret of %d bytes, error %v", c.ID, len(secret), err)
		}
	}
	for _, path := range []string{s.Path(), s.Path() + "-wal", SecretPath(s.Path(), "validator")} {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%v, error %v", info, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(s.Path())); !os.IsNotExist(err) {
		t.Errorf("the directory is there: %v", err)
	}
}

// TestDefaultClientsKeepTheirSecrets of the start before.
func TestDefaultClientsKeepTheirSecrets(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "x")
	var secrets [2][3]string
	for i := range secrets {
		clients, err := DefaultClients(prefix)
		if err != nil {
			t.Fatal(err)
		}
		for j, c := range clients {
			if secrets[i][j], err = c.Secret.Reveal(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if secrets[0] != secrets[1] || secrets[0][0] == secrets[0][1] {
		t.Errorf("secrets %v", secrets)
	}
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "foreign.db")
	db, err := sql.Open("sqlite", foreign)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TABLE t (x)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	running := start(t, Options{})
	client := []Client{{"c", feed.NewSecret("s"), []Scope{ScopeRead}}}
	for _, tt := range []struct {
		o    Options
		want string
	}{
		{Options{Listen: "8080"}, "write host and port"},
		{Options{Listen: running.listener.Addr().String()}, "address already in use"},
		{Options{CertFile: "x"}, "give both"},
		{Options{CertFile: "/nowhere", KeyFile: "/nowhere"}, "read certificate and key"},
		{Options{TokenLifetime: time.Millisecond}, "token lifetime"},
		{Options{Rate: -1}, "rate"},
		{Options{Rate: math.NaN()}, "rate"},
		{Options{AllowedLateness: -1}, "lateness"},
		{Options{Devices: -1}, "devices"},
		{Options{Faults: &Faults{Drop: -1}}, "drop"},
		{Options{Clients: append(client, client...)}, "twice"},
		{Options{Data: foreign}, "another application"},
		{Options{Data: garbage}, "not a database"},
		{Options{Data: filepath.Join(garbage, "x.db")}, "not a directory"},
	} {
		s, err := Start(tt.o)
		if err == nil {
			s.Close()
			t.Errorf("%+v started", tt.o)
		} else if !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.o, err, tt.want)
		}
	}
}

func TestTLS(t *testing.T) {
	ca := testenv.CA(t)
	a := start(t, Options{CertFile: ca.ServerCertFile, KeyFile: ca.ServerKeyFile})
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(ca.CAFile)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	a.http = &http.Client{Transport: transport}
	a.lines(t, "", second("d", 0, 0)).took(t, 1, 0)
	if !strings.HasPrefix(a.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", a.URL())
	}
}

// TestDrain: a request that has begun is answered, and stored, before Close
// returns; later ones find nobody.
func TestDrain(t *testing.T) {
	dir := t.TempDir()
	a := start(t, Options{Data: dir})
	token := a.token(t, ScopeWrite)
	conn, err := net.Dial("tcp", a.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	line := string(new(second("d", 0, 0)).AppendJSON(nil))
	fmt.Fprintf(conn, "POST /v1/batches HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", token, contentLines, len(line))
	in := bufio.NewReader(conn)
	if text, err := in.ReadString('\n'); err != nil || !strings.Contains(text, "100 Continue") { // the body is awaited
		t.Fatalf("%q, %v", text, err)
	}
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	for { // until nobody listens any more
		c, err := net.Dial("tcp", a.listener.Addr().String())
		if err != nil {
			break
		}
		c.Close()
	}
	select {
	case err := <-closed:
		t.Fatalf("closed before the answer: %v", err)
	default:
	}
	io.WriteString(conn, line)
	resp, err := http.ReadResponse(in, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%+v, %v", resp, err)
	}
	resp.Body.Close()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if got := start(t, Options{Data: dir}).Stats().Readings; got != 1 {
		t.Errorf("%d readings are held", got)
	}
}

// TestSlowHead: who does not finish the head of a request in time is hung up on.
func TestSlowHead(t *testing.T) {
	a := start(t, Options{headerPatience: 50 * time.Millisecond})
	conn, err := net.Dial("tcp", a.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET /v1/watermark HTTP/1.1\r\nX-Slow: ")
	if answer, err := io.ReadAll(conn); err != nil || len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 408") {
		t.Errorf("answer %q, %v", answer, err)
	}
}

// TestPendingBytes: bodies that are on their way are bounded; who comes then is
// told to come again.
func TestPendingBytes(t *testing.T) {
	a := start(t, Options{})
	if err := a.bodies.Acquire(context.Background(), maxPendingBytes-10); err != nil {
		t.Fatal(err)
	}
	got := a.lines(t, "", second("d", 0, 0))
	got.refused(t, http.StatusServiceUnavailable, "too many bytes")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("header %v", got.header)
	}
	a.bodies.Release(maxPendingBytes - 10)
	a.lines(t, "", second("d", 0, 0)).took(t, 1, 0)
	if !a.bodies.TryAcquire(maxPendingBytes) {
		t.Error("bytes are reserved for nothing")
	}
}

// TestStoreFails: an error of the store is told as 503, without its text, and
// logged.
func TestStoreFails(t *testing.T) {
	var log strings.Builder
	a := start(t, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if _, err := a.store.writer.Exec(`DROP TABLE devices`); err != nil {
		t.Fatal(err)
	}
	a.frame(t, 1, second("d", 0, 0)).refused(t, http.StatusServiceUnavailable, "the store cannot be used now")
	if _, err := a.store.writer.Exec(createTables[strings.Index(createTables, "CREATE TABLE devices"):strings.Index(createTables, "CREATE TABLE lies")]); err != nil {
		t.Fatal(err)
	}
	if got := a.all(t, url.Values{}); len(got) != 0 {
		t.Errorf("a part was stored: %+v", got)
	}
	if !strings.Contains(log.String(), "no such table: devices") {
		t.Errorf("log %q", log.String())
	}
}
