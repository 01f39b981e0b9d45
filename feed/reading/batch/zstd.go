package batch

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstandard is one zstd frame (RFC 8878).
type zstandard struct{}

// maxZstdWindow is the largest window that any limit allows.
const maxZstdWindow = 128 << 20

// Both know no state between calls and start no goroutine. Making them fails for
// options that are wrong only.
var (
	zstdWriter = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithWindowSize(8<<20))
	})
	zstdReader = sync.OnceValues(func() (*zstd.Decoder, error) {
		return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
	})
)

func (zstandard) compress(dst, src []byte) ([]byte, error) {
	z, err := zstdWriter()
	if err != nil {
		return dst, err
	}
	return z.EncodeAll(src, dst), nil
}

func (zstandard) decompress(dst, src []byte, l Limits) ([]byte, error) {
	z, err := zstdReader()
	if err != nil {
		return nil, err
	}
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	limit := l.unpacked(len(src))
	size := max(512, 4*len(src)) // when the frame does not say
	if h.HasFCS {
		size = int(min(h.FrameContentSize, uint64(limit)+1))
	}
	switch {
	case h.WindowSize > uint64(l.MaxWindow):
		return nil, corrupt(ReasonLimits, "zstd: a window of %d bytes, %d are allowed", h.WindowSize, l.MaxWindow)
	case h.HasFCS && size > limit:
		return nil, l.tooLong(len(src))
	}
	for {
		size = min(size, limit)
		room := slices.Grow(dst, size)
		// Its capacity is what the decoder may fill.
		out, err := z.DecodeAll(src, room[:len(dst):len(dst)+size])
		switch {
		case err == nil:
			return out, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded) || h.HasFCS:
			return nil, fmt.Errorf("zstd: %w", err)
		case size == limit:
			return nil, l.tooLong(len(src))
		}
		size *= 2
	}
}
