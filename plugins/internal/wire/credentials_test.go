package wire

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/credentials"
)

// counting counts the writes of a connection.
type counting struct {
	net.Conn
	writes atomic.Int64
}

func (c *counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

// What is written at a time goes to the other process at once, however many of
// TLS's records it takes, and arrives as it was.
func TestSecuredWritesAtOnce(t *testing.T) {
	certified := httptest.NewTLSServer(nil)
	defer certified.Close()
	client := certified.Client().Transport.(*http.Transport).TLSClientConfig
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	echoed := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			echoed <- err
			return
		}
		defer conn.Close()
		there := tls.Server(conn, &tls.Config{Certificates: certified.TLS.Certificates, NextProtos: []string{"h2"}})
		_, err = io.Copy(there, there)
		echoed <- err
	}()
	raw, err := net.Dial("unix", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	below := &counting{Conn: raw}
	conn, _, err := secured{credentials.NewTLS(nil), func() *tls.Config { return client }}.ClientHandshake(t.Context(), "example.com", below)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, 16 << 10, buffer, 3, 100_000} {
		sent := bytes.Repeat([]byte{byte(size), 7, 8}, size/3+1)
		before := below.writes.Load()
		if n, err := conn.Write(sent); n != len(sent) || err != nil {
			t.Fatal(n, err)
		}
		if n := below.writes.Load() - before; n != 1 {
			t.Errorf("%d bytes were written in %d pieces", len(sent), n)
		}
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("%d bytes came back as others: %v", len(sent), err)
		}
	}
	raw.Close()
	if n, err := conn.Write([]byte("to nobody")); err == nil {
		t.Errorf("%d bytes were written into a connection that is closed", n)
	}
	<-echoed
}
