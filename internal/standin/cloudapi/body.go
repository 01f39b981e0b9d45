package cloudapi

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	maxBody         = 16 << 20 // of a delivery, decompressed
	maxPendingBytes = 4 * maxBody
)

// withBody calls do with the whole body, decompressed. What all bodies take in
// memory is bounded.
func (s *Server) withBody(r *http.Request, do func([]byte) error) error {
	reserved := int64(maxBody) // of a compressed or endless body the length says nothing
	encoding := r.Header.Get("Content-Encoding")
	switch {
	case r.ContentLength > maxBody:
		return tooLarge(maxBody)
	case r.ContentLength >= 0 && encoding == "":
		reserved = r.ContentLength
	}
	if !s.bodies.TryAcquire(reserved) {
		return refuse(http.StatusServiceUnavailable, "too many bytes are being delivered: send it again").after(time.Second)
	}
	defer s.bodies.Release(reserved)
	body, err := readBody(r.Body, encoding, reserved)
	if err != nil {
		return err
	}
	return do(body)
}

func tooLarge(most int64) error {
	return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes: send less at once", most)
}

func readBody(body io.Reader, encoding string, most int64) ([]byte, error) {
	switch encoding {
	case "", "identity":
	case "gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, unread(err)
		}
		defer z.Close() //nolint:errcheck // what was wrong was said by Read
		body = z
	default:
		return nil, refuse(http.StatusUnsupportedMediaType, "Content-Encoding %.40q is unknown: send gzip or none", encoding)
	}
	data, err := io.ReadAll(io.LimitReader(body, most+1))
	switch {
	case int64(len(data)) > most:
		return nil, tooLarge(most)
	case err != nil:
		return nil, unread(err)
	}
	return data, nil
}

func unread(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return refuse(http.StatusRequestTimeout, "the body has not arrived in time: send it again")
	}
	return refuse(http.StatusBadRequest, "read the body: %v", err)
}
