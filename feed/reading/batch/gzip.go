package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// gzipped is one gzip member (RFC 1952).
type gzipped struct{}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func (gzipped) compress(dst, src []byte) ([]byte, error) {
	z := gzipWriters.Get().(*gzip.Writer)
	defer gzipWriters.Put(z)
	buf := bytes.NewBuffer(dst)
	defer func() { *buf = bytes.Buffer{} }() // the writer holds it until it is used again
	z.Reset(buf)
	if _, err := z.Write(src); err != nil {
		return dst, err
	}
	if err := z.Close(); err != nil {
		return dst, err
	}
	return buf.Bytes(), nil
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

func (gzipped) decompress(dst, src []byte, l Limits) ([]byte, error) {
	z := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(z)
	rest := bytes.NewReader(src)
	defer rest.Reset(nil) // z holds it until it is used again
	if err := z.Reset(rest); err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	z.Multistream(false)
	limit := l.unpacked(len(src))
	if n := uint64(binary.LittleEndian.Uint32(src[len(src)-4:])); n < uint64(limit) {
		dst = slices.Grow(dst, int(n)+1) // what the end of the member says, and room to see the end
	}
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, min(max(512, len(dst)), limit+1-len(dst)))
		}
		n, err := z.Read(dst[len(dst):min(cap(dst), limit+1)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > limit:
			return nil, l.tooLong(len(src))
		case errors.Is(err, io.EOF) && rest.Len() > 0:
			return nil, fmt.Errorf("gzip: %d bytes follow", rest.Len())
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return nil, fmt.Errorf("gzip: %w", err)
		}
	}
}
