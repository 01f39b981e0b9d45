package http

import (
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// refusal is an answer to a request that brings no message.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string { return r.text }

func refuse(status int, format string, a ...any) error {
	return &refusal{status, fmt.Sprintf(format, a...)}
}

const (
	// zstdWindow bounds the memory of a decoder: RFC 9659 asks clients for no more.
	zstdWindow = 8 << 20
	// zstdMemory and gzipMemory are what a decoder allocates: measured, and
	// rounded up.
	zstdMemory = zstdWindow + 1<<20
	gzipMemory = 96 << 10
	// leastBuffer is what a body of unknown length is read into at first.
	leastBuffer = 4 << 10
)

// readBody reads a whole body, decompressed, of at most limit bytes. What it
// allocates it takes from room before.
func readBody(r *nethttp.Request, limit int64, room *reservation) ([]byte, error) {
	sent := &upload{Reader: r.Body}
	data, err := readDecoded(r, sent, limit, room)
	switch {
	case err == nil:
		return data, nil
	case errors.As(err, new(*refusal)):
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(nethttp.StatusServiceUnavailable, "the body has not arrived in time: send it again")
	case sent.torn || r.Context().Err() != nil:
		return nil, refuse(nethttp.StatusServiceUnavailable, "the connection has ended before the body: send it again")
	}
	return nil, refuse(nethttp.StatusBadRequest, "read the body: %v", err)
}

// upload is a body as it is sent. It notes whether the connection ended early,
// which no decoder can tell from a body that is cut short.
type upload struct {
	io.Reader
	torn bool
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, new(net.Error)) {
		u.torn = true
	}
	return n, err
}

// readDecoded reads a whole body, given what is sent of it.
func readDecoded(r *nethttp.Request, sent io.Reader, limit int64, room *reservation) ([]byte, error) {
	body, memory, err := decoded(r.Header.Get("Content-Encoding"), sent, room)
	if err != nil {
		return nil, err
	}
	defer room.shrink(memory)
	first := min(leastBuffer, limit)
	if memory == 0 && r.ContentLength >= 0 {
		first = r.ContentLength
	}
	return readAll(body, first, limit, room)
}

// readAll reads to the end, first into so many bytes, then into twice as many
// each time.
func readAll(body io.Reader, first, limit int64, room *reservation) ([]byte, error) {
	if err := room.grow(first); err != nil {
		return nil, err
	}
	data := make([]byte, 0, first)
	for {
		for len(data) < cap(data) {
			n, err := body.Read(data[len(data):cap(data)])
			data = data[:len(data)+n]
			if errors.Is(err, io.EOF) {
				return data, nil
			}
			if err != nil {
				return nil, err
			}
		}
		var next [1]byte
		if _, err := io.ReadFull(body, next[:]); errors.Is(err, io.EOF) {
			return data, nil
		} else if err != nil {
			return nil, err
		}
		size := int64(cap(data))
		if size >= limit {
			return nil, refuse(nethttp.StatusRequestEntityTooLarge, "the body has more than %d bytes", limit)
		}
		bigger := min(max(2*size, leastBuffer), limit)
		if err := room.grow(bigger); err != nil {
			return nil, err
		}
		data = append(append(make([]byte, 0, bigger), data...), next[0])
		room.shrink(size)
	}
}

// decoded returns what is sent without its Content-Encoding, and what its
// decoder has taken of room.
func decoded(encoding string, sent io.Reader, room *reservation) (body io.Reader, memory int64, err error) {
	switch encoding {
	case "", "identity":
		return sent, 0, nil
	case "gzip":
		if err = room.grow(gzipMemory); err != nil {
			return nil, 0, err
		}
		body, err = gzip.NewReader(sent)
		memory = gzipMemory
	case "zstd":
		if err = room.grow(zstdMemory); err != nil {
			return nil, 0, err
		}
		body, err = zstd.NewReader(sent, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
		memory = zstdMemory
	default:
		return nil, 0, refuse(nethttp.StatusUnsupportedMediaType, "Content-Encoding %q is none of gzip, zstd, identity", encoding)
	}
	return body, memory, err
}

// answerTo is what a client gets for an error.
func answerTo(err error) (status int, text string) {
	var r *refusal
	if errors.As(err, &r) {
		return r.status, r.text
	}
	return nethttp.StatusInternalServerError, "internal error"
}
