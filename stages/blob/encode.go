package blob

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	stageBytes  = 64 << 10 // lines gathered before they go to the compressor
	keepBytes   = 8 << 20  // a larger buffer is given up after use
	zstdWindow  = 1 << 20  // keeps an encoder and a decoder small
	gzipLevel   = 1        // measured: see BenchmarkEncode
	contentType = "application/x-ndjson"
	parquetType = "application/vnd.apache.parquet" // registered with IANA
)

// extension is what names of objects end with.
func (c *Config) extension() string {
	if c.Format == FormatParquet {
		return ".parquet"
	}
	return c.Compression.extension()
}

// contentType is that of objects.
func (c *Config) contentType() string {
	if c.Format == FormatParquet {
		return parquetType
	}
	return c.Compression.contentType()
}

func (c Compression) extension() string {
	switch c {
	case Gzip:
		return ".ndjson.gz"
	case Zstd:
		return ".ndjson.zst"
	}
	return ".ndjson"
}

func (c Compression) contentType() string {
	switch c {
	case Gzip:
		return "application/gzip"
	case Zstd:
		return "application/zstd"
	}
	return contentType
}

// encoder turns messages into the bytes of an object. Equal messages make equal
// bytes. It is reused, and not safe for concurrent use.
type encoder interface {
	// begin starts an object of about hint bytes before compression.
	begin(hint int)
	// add appends a message; topic is for one that has none itself. A permanent
	// error is the message's own: the object is as it was. Any other one is of
	// the object.
	add(m *message.Message, topic string) error
	// size returns how many bytes were added, before compression.
	size() int
	// finish returns the bytes of the object, valid until the next begin or
	// release.
	finish() ([]byte, error)
	// release gives up buffers that grew beyond what is worth keeping.
	release()
}

func newEncoder(c *Config) (encoder, error) {
	if c.Format == FormatParquet {
		return newParquetEncoder(c.Compression), nil
	}
	return newLineEncoder(c.Envelope, c.Compression)
}

// lineEncoder makes NDJSON.
type lineEncoder struct {
	full     bool
	envelope enveloper
	stage    []byte // lines that the compressor has not got yet
	out      outBuffer
	comp     compressor // nil: plain
	raw      int        // bytes before compression
}

type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

type outBuffer struct{ b []byte }

func (o *outBuffer) Write(p []byte) (int, error) {
	o.b = append(o.b, p...)
	return len(p), nil
}

func newLineEncoder(envelope Envelope, c Compression) (*lineEncoder, error) {
	e := &lineEncoder{full: envelope == EnvelopeFull}
	switch c {
	case Gzip:
		w, err := gzip.NewWriterLevel(&e.out, gzipLevel)
		if err != nil {
			return nil, err
		}
		e.comp = w
	case Zstd:
		w, err := zstd.NewWriter(&e.out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(zstdWindow),
			zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, err
		}
		e.comp = w
	}
	return e, nil
}

func (e *lineEncoder) begin(hint int) {
	e.raw, e.stage, e.out.b = 0, e.stage[:0], e.out.b[:0]
	if e.comp != nil {
		e.comp.Reset(&e.out)
		if z, ok := e.comp.(*gzip.Writer); ok {
			z.ModTime = time.Unix(0, 0) // stands for none
		}
		return
	}
	// Plain lines are appended to the object itself.
	if cap(e.stage) < hint {
		e.stage = make([]byte, 0, hint)
	}
}

func (e *lineEncoder) size() int { return e.raw }

func (e *lineEncoder) add(m *message.Message, topic string) error {
	if e.full {
		return e.commit(e.envelope.appendLine(e.stage, m, topic))
	}
	stage, err := appendPayloadLine(e.stage, m)
	if err != nil {
		return err
	}
	return e.commit(stage)
}

// commit takes the lines that were appended to stage since the last call.
func (e *lineEncoder) commit(stage []byte) error {
	e.raw += len(stage) - len(e.stage)
	e.stage = stage
	if e.comp == nil || len(e.stage) < stageBytes {
		return nil
	}
	return e.flush()
}

func (e *lineEncoder) flush() error {
	_, err := e.comp.Write(e.stage)
	e.stage = e.stage[:0]
	return err
}

func (e *lineEncoder) finish() ([]byte, error) {
	if e.comp == nil {
		return e.stage, nil
	}
	if err := e.flush(); err != nil {
		return nil, err
	}
	if err := e.comp.Close(); err != nil {
		return nil, err
	}
	return e.out.b, nil
}

func (e *lineEncoder) release() {
	if cap(e.stage) > keepBytes {
		e.stage = nil
	}
	if cap(e.out.b) > keepBytes {
		e.out.b = nil
	}
}

// contentHash is how the content of an object is known: in its metadata, and
// as a part of what its name is made of.
func contentHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
