package batch

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// zstandard is one zstd frame (RFC 8878) that says how long its content is.
type zstandard struct{}

// maxZstdWindow is the largest window that any limit allows.
const maxZstdWindow = 1 << 29

// The writer knows no state between calls, the readers none but the last body that
// they have read. Neither starts a goroutine. Making them fails for options that are
// wrong only.
var (
	zstdWriter = sync.OnceValues(func() (*zstd.Encoder, error) {
		return zstd.NewWriter(nil, zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true)) // so that also short frames say it
	})
	zstdReaders sync.Pool // of *zstd.Decoder
)

func zstdReader() (*zstd.Decoder, error) {
	if z, ok := zstdReaders.Get().(*zstd.Decoder); ok {
		return z, nil
	}
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxZstdWindow))
}

func (zstandard) compress(dst, src []byte) ([]byte, error) {
	z, err := zstdWriter()
	if err != nil {
		return dst, err
	}
	return z.EncodeAll(src, dst), nil
}

func (zstandard) decompress(dst, src []byte, l Limits) ([]byte, error) {
	var h zstd.Header
	if err := h.Decode(src); err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	switch {
	case !h.HasFCS:
		return nil, errors.New("zstd: the frame does not say how long its content is")
	case h.FrameContentSize > uint64(l.unpacked(len(src))):
		return nil, l.tooLong(len(src))
	case !h.SingleSegment && h.WindowSize > uint64(l.MaxWindow): // otherwise the content is the window
		return nil, corrupt(ReasonLimits, "zstd: a window of %d bytes, %d are allowed", h.WindowSize, l.MaxWindow)
	}
	if n := frameLength(src, &h); n != len(src) {
		return nil, fmt.Errorf("zstd: %d bytes, where one frame has %d", len(src), n)
	}
	size := int(h.FrameContentSize)
	// Its capacity is what the decoder may fill.
	room := slices.Grow(dst, size)[: len(dst) : len(dst)+size]
	z, err := zstdReader()
	if err != nil {
		return nil, err
	}
	out, err := z.DecodeAll(src, room)
	if len(src) <= keptScratch {
		zstdReaders.Put(z)
	}
	if err != nil {
		return nil, fmt.Errorf("zstd: %w", err)
	}
	return out, nil
}

// frameLength returns how many bytes the frame has that src begins with, as far
// as the heads of its blocks tell, and more than src has when it is cut. The
// decoder would pass over frames behind it that hold nothing.
func frameLength(src []byte, h *zstd.Header) int {
	const (
		blockHead = 3
		repeated  = 1 // the kind of a block of one byte, which is told how often
		checksum  = 4
	)
	n := h.HeaderSize
	for last := false; !last; {
		n += blockHead
		if n > len(src) {
			return n
		}
		head := int(src[n-3]) | int(src[n-2])<<8 | int(src[n-1])<<16
		last = head&1 == 1
		if kind := head >> 1 & 3; kind == repeated {
			n++
		} else {
			n += head >> 3
		}
	}
	if h.HasCheckSum {
		n += checksum
	}
	return n
}
