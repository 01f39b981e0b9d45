package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/kraft-edge/datafeed/feed"
)

// ErrTooLarge ends the reading of an object that is larger than the reader's
// bound after decompression.
var ErrTooLarge = errors.New("object is larger than the reader takes")

// DefaultReadBytes is the most that [Reader.Read] makes of one object.
const DefaultReadBytes = 4 * feed.GiB

// Reader lists and reads what sinks have written, for tests and validators.
// It is safe for concurrent use.
type Reader struct {
	// MaxBytes bounds each object after decompression; set it before use.
	MaxBytes feed.Size

	store store
}

// NewReader returns a reader of the place that cfg names. It does no network
// I/O.
func NewReader(cfg Config) (*Reader, error) {
	st, err := newStore(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{MaxBytes: DefaultReadBytes, store: st}, nil
}

// Objects goes over all objects whose names begin with prefix. An error ends
// it.
func (r *Reader) Objects(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return r.store.list(ctx, prefix)
}

// Read returns the lines of an object, decompressed as its name says. The
// caller closes it. It ends with ErrTooLarge beyond MaxBytes.
func (r *Reader) Read(ctx context.Context, name string) (io.ReadCloser, error) {
	raw, err := r.store.open(ctx, name)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(raw)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), raw.Close())
		}
		return &boundedReader{name: name, r: z, left: int64(r.MaxBytes), close: raw.Close}, nil
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(raw, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("read %s: %w", name, err), raw.Close())
		}
		return &boundedReader{name: name, r: z, left: int64(r.MaxBytes), close: func() error { z.Close(); return raw.Close() }}, nil
	}
	return &boundedReader{name: name, r: raw, left: int64(r.MaxBytes), close: raw.Close}, nil
}

// Close gives up idle connections.
func (r *Reader) Close() error {
	r.store.close()
	return nil
}

// boundedReader fails where an io.LimitReader would pretend an end.
type boundedReader struct {
	name  string
	r     io.Reader
	left  int64
	close func() error
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.r.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.left = 0
		return n, fmt.Errorf("read %s: %w", b.name, ErrTooLarge)
	}
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read %s: %w", b.name, bareError(err))
	}
	return n, err
}

func (b *boundedReader) Close() error { return b.close() }
