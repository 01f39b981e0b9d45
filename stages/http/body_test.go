package http

import (
	"bytes"
	"io"
	nethttp "net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/semaphore"
)

// watched is a body that notes what is reserved while it is read.
type watched struct {
	io.Reader
	room *reservation
	peak int64
}

func (w *watched) Read(p []byte) (int, error) {
	w.peak = max(w.peak, w.room.taken)
	return w.Reader.Read(p)
}

func (*watched) Close() error { return nil }

func compressed(t *testing.T, encoding string, text []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch encoding {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "zstd":
		e, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = e
	default:
		return text
	}
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// What a body takes is reserved while it is read, with the memory of its decoder
// and of the copy that a longer buffer is filled from; then what is kept.
func TestABodyReservesWhatItTakes(t *testing.T) {
	const size, limit = 100_000, 200_000
	text := []byte(strings.Repeat("0123456789", size/10))
	for name, c := range map[string]struct {
		encoding  string
		declared  bool // the length
		peak, end int64
	}{
		"declared length": {"", true, size, size},
		"unknown length":  {"", false, 2*65536 + 4096, 131072},
		"gzip":            {"gzip", false, gzipMemory + leastBuffer, 131072},
		"gzip, declared":  {"gzip", true, gzipMemory + leastBuffer, 131072},
		"zstd":            {"zstd", false, zstdMemory + leastBuffer, 131072},
	} {
		t.Run(name, func(t *testing.T) {
			sent := compressed(t, c.encoding, text)
			pending := semaphore.NewWeighted(64 << 20)
			room := &reservation{pending: pending}
			body := &watched{Reader: bytes.NewReader(sent), room: room}
			r := &nethttp.Request{Header: nethttp.Header{}, Body: body, ContentLength: -1}
			if c.declared {
				r.ContentLength = int64(len(sent))
			}
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			got, err := readBody(r, limit, room)
			if err != nil || !bytes.Equal(got, text) {
				t.Fatalf("%d bytes, %v", len(got), err)
			}
			if body.peak < c.peak-leastBuffer || room.taken != c.end || int64(cap(got)) != c.end {
				t.Errorf("reserved up to %d, then %d for %d; want %d, then %d", body.peak, room.taken, cap(got), c.peak, c.end)
			}
			room.free()
			if !pending.TryAcquire(64 << 20) {
				t.Error("something is still reserved")
			}
		})
	}
}

// A body that finds too little room is refused for now.
func TestABodyWithoutRoom(t *testing.T) {
	for name, c := range map[string]struct {
		encoding     string
		size         int
		most, others int64
		status       int
	}{
		"others have it":     {"", 1000, 5000, 1000, 503},
		"a copy has room":    {"", 6000, 20_000, 20_000 - 3*4096, 0},
		"no room for a copy": {"", 6000, 20_000, 20_000 - 2*4096, 503},
		"decoder":            {"zstd", 1, zstdMemory + 4096, 1, 503},
		"small decoder":      {"gzip", 1, gzipMemory + 4096, 4097, 503},
	} {
		t.Run(name, func(t *testing.T) {
			pending := semaphore.NewWeighted(c.most)
			if !pending.TryAcquire(c.others) {
				t.Fatal("no room for the others")
			}
			room := &reservation{pending: pending}
			sent := compressed(t, c.encoding, make([]byte, c.size))
			r := &nethttp.Request{Header: nethttp.Header{}, Body: io.NopCloser(bytes.NewReader(sent)), ContentLength: -1}
			if c.encoding != "" {
				r.Header.Set("Content-Encoding", c.encoding)
			}
			_, err := readBody(r, 100_000, room)
			status := 0
			if err != nil {
				status, _ = answerTo(err)
			}
			if status != c.status {
				t.Errorf("status %d, %v; want %d", status, err, c.status)
			}
		})
	}
}
