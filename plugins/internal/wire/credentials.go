package wire

import (
	"context"
	"crypto/tls"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// Secured is the option of a connection with TLS. The configuration is asked for
// when the connection is made: go-plugin knows it only then.
//
// TLS writes each 16 KiB by themselves, and with each of them the other process is
// woken up, which costs more than the encryption. Here what gRPC writes at a time
// is encrypted first and then written at once.
func Secured(config func() *tls.Config) grpc.DialOption {
	return grpc.WithTransportCredentials(secured{credentials.NewTLS(nil), config})
}

type secured struct {
	credentials.TransportCredentials
	config func() *tls.Config
}

// ClientHandshake implements [credentials.TransportCredentials].
func (s secured) ClientHandshake(ctx context.Context, authority string, to net.Conn) (net.Conn, credentials.AuthInfo, error) {
	below := &held{Conn: to}
	conn, info, err := credentials.NewTLS(s.config()).ClientHandshake(ctx, authority, below)
	return flushed{conn, below}, info, err
}

// Info implements [credentials.TransportCredentials].
func (s secured) Info() credentials.ProtocolInfo { return credentials.NewTLS(s.config()).Info() }

// Clone implements [credentials.TransportCredentials].
func (s secured) Clone() credentials.TransportCredentials { return s }

// flushed is a connection with TLS above one that can hold what is written.
type flushed struct {
	net.Conn
	below *held
}

func (f flushed) Write(b []byte) (int, error) {
	f.below.hold()
	n, err := f.Conn.Write(b)
	if flushErr := f.below.flush(); err == nil && flushErr != nil {
		return 0, flushErr
	}
	return n, err
}

// held is a connection that keeps what is written from hold to flush. TLS may write
// on behalf of a reader, too.
type held struct {
	net.Conn
	mu      sync.Mutex
	holding bool
	kept    []byte
}

func (h *held) hold() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holding = true
}

func (h *held) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.holding {
		return h.Conn.Write(b)
	}
	h.kept = append(h.kept, b...)
	return len(b), nil
}

func (h *held) flush() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holding = false
	_, err := h.Conn.Write(h.kept)
	h.kept = h.kept[:0]
	return err
}
