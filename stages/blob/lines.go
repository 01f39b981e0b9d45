package blob

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// lineBuffer is what is decompressed ahead.
const lineBuffer = 256 << 10

// lines reads an object of NDJSON. All of its bytes are read, so that what checks
// them, in the compressed form or beside the object, is checked.
func (w *worker) lines(ctx context.Context, t target) error {
	raw := w.stored(ctx, &t)
	text, err := w.decompressed(t.Name, raw)
	if err == nil {
		err = w.eachLine(&boundedReader{name: t.Name, r: text, left: int64(w.o.cfg.MaxObjectBytes)})
	}
	switch {
	case raw.err != nil:
		return raw.err
	case w.out.failed() != nil:
		return w.out.failed()
	}
	if wrong := raw.verify(); wrong != nil {
		return wrong // which says more than what did not come out of it
	}
	if err != nil {
		return damage{err}
	}
	return nil
}

// decompressed returns the text of an object as its name says.
func (w *worker) decompressed(name string, raw io.Reader) (io.Reader, error) {
	switch {
	case strings.HasSuffix(name, ".gz"):
		if w.gz == nil {
			w.gz = new(gzip.Reader)
		}
		return w.gz, w.gz.Reset(raw)
	case strings.HasSuffix(name, ".zst"):
		if w.zst == nil {
			z, err := newZstdReader()
			if err != nil {
				return nil, err
			}
			w.zst = z
		}
		return w.zst, w.zst.Reset(raw)
	}
	return raw, nil
}

// eachLine hands out the reading of each line.
func (w *worker) eachLine(text io.Reader) error {
	if w.lineBuffer == nil {
		w.lineBuffer = bufio.NewReaderSize(text, lineBuffer)
	}
	lines := w.lineBuffer
	lines.Reset(text)
	for number := int64(1); ; number++ {
		line, err := w.line(lines)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, errLongLine) {
			return err
		}
		ended := errors.Is(err, io.EOF)
		switch line = bytes.TrimRight(line, "\r\n"); {
		case errors.Is(err, errLongLine):
			err = w.unreadable(number, fmt.Errorf("the line is longer than maxLineBytes (%s)", w.o.cfg.MaxLineBytes))
		case len(line) > 0:
			err = w.lineReading(line, number)
		default:
			err = nil
		}
		if err != nil || ended {
			return err
		}
	}
}

var errLongLine = errors.New("the line is too long")

// line returns the next line, with its end, valid until the next call. It returns
// errLongLine for one that is too long, and goes on behind it.
func (w *worker) line(lines *bufio.Reader) ([]byte, error) {
	part, err := lines.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return part, err
	}
	w.long = w.long[:0]
	tooLong := false
	for {
		if tooLong = tooLong || len(w.long)+len(part) > int(w.o.cfg.MaxLineBytes); !tooLong {
			w.long = append(w.long, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		part, err = lines.ReadSlice('\n')
	}
	if tooLong && (err == nil || errors.Is(err, io.EOF)) {
		return nil, errLongLine // at the end of the object the next call says so again
	}
	return w.long, err
}

// envelopeStart is how a line of envelope full begins, and no reading does.
var envelopeStart = []byte(`{"topic":`)

// lineReading hands out the reading of a line.
func (w *worker) lineReading(line []byte, number int64) error {
	if bytes.HasPrefix(line, envelopeStart) {
		var err error
		if line, err = w.payload(line); err != nil {
			return w.unreadable(number, err)
		}
	}
	r, err := w.parser.Parse(line)
	if err != nil {
		return w.unreadable(number, err)
	}
	return w.record(&r, number)
}

// payload returns what a line of envelope full carries.
func (w *worker) payload(line []byte) ([]byte, error) {
	var payload []byte
	inBase64, payloads := false, 0
	if !jsonscan.Members(line, func(name, value []byte) {
		switch string(name) {
		case `"payload"`:
			payload = value
			payloads++
		case `"encoding"`:
			inBase64 = string(value) == `"base64"`
		}
	}) {
		return nil, errors.New("the line is no JSON object in UTF-8")
	}
	switch {
	case payloads != 1:
		return nil, fmt.Errorf("the line has %d payloads", payloads)
	case !inBase64:
		return payload, nil
	case len(payload) < 2 || payload[0] != '"':
		return nil, errors.New("the line has a payload in base64 that is no text")
	}
	var err error
	if w.raw, err = base64.StdEncoding.AppendDecode(w.raw[:0], payload[1:len(payload)-1]); err != nil {
		return nil, fmt.Errorf("the payload in base64: %w", err)
	}
	return w.raw, nil
}

func newZstdReader() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(8<<20), zstd.WithDecoderLowmem(true))
}
