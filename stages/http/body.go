package http

import (
	"errors"
	"fmt"
	"io"
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

// zstdWindow bounds the memory of a decoder: RFC 9659 asks clients for no more.
const zstdWindow = 8 << 20

// readBody reads a whole body, decompressed, of at most limit bytes.
func readBody(r *nethttp.Request, limit int64) ([]byte, error) {
	body, err := decoded(r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	switch {
	case int64(len(data)) > limit:
		return nil, refuse(nethttp.StatusRequestEntityTooLarge, "the body has more than %d bytes", limit)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(nethttp.StatusServiceUnavailable, "the body has not arrived in time: send it again")
	case err != nil:
		return nil, refuse(nethttp.StatusBadRequest, "read the body: %v", err)
	}
	return data, nil
}

// decoded returns the body without its Content-Encoding.
func decoded(r *nethttp.Request) (io.Reader, error) {
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, refuse(nethttp.StatusBadRequest, "read the body: %v", err)
		}
		return z, nil
	case "zstd":
		z, err := zstd.NewReader(r.Body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderLowmem(true))
		if err != nil {
			return nil, refuse(nethttp.StatusBadRequest, "read the body: %v", err)
		}
		return z, nil
	default:
		return nil, refuse(nethttp.StatusUnsupportedMediaType, "Content-Encoding %q is none of gzip, zstd, identity", encoding)
	}
}

// answerTo is what a client gets for an error.
func answerTo(err error) (status int, text string) {
	var r *refusal
	if errors.As(err, &r) {
		return r.status, r.text
	}
	return nethttp.StatusInternalServerError, "internal error"
}
