package blob

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// body is a request body over a buffer that will be used again. An HTTP
// transport may go on reading a body after the request has returned, after a
// timeout for one; with the next object already in the buffer it would send
// that one's bytes under the first one's name. revoke ends all reading.
type body struct {
	mu sync.Mutex
	r  *bytes.Reader // nil: revoked
}

var errRevoked = errors.New("request has ended")

func newBody(data []byte) *body { return &body{r: bytes.NewReader(data)} }

func (b *body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errRevoked
	}
	return b.r.Read(p)
}

func (b *body) Seek(offset int64, whence int) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.r == nil {
		return 0, errRevoked
	}
	return b.r.Seek(offset, whence)
}

// Close does nothing: the client closes a body between tries.
func (b *body) Close() error { return nil }

func (b *body) revoke() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.r = nil
}

var _ io.ReadSeekCloser = (*body)(nil)
