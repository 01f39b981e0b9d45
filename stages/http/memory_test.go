package http

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kraft-edge/datafeed/feed"
)

// With the least maxPendingBytes that is valid, the largest request finds room
// when it is alone, however it comes.
func TestTheLargestRequestHasRoom(t *testing.T) {
	const limit = 256 << 10
	bodies := map[Split]string{
		SplitNone:  strings.Repeat("x", limit),
		SplitLines: strings.Repeat("1\n", limit/2),
		SplitArray: "[" + strings.Repeat("1,", limit/2-2) + "1]",
	}
	for how, body := range bodies {
		for _, encoding := range []string{"", "gzip", "zstd"} {
			for _, pending := range []int{limit / 2, limit} {
				t.Run(fmt.Sprintf("%s, %s, %d", how, encoding, pending), func(t *testing.T) {
					edit := func(c *SourceConfig) {
						c.Split, c.MaxBodyBytes, c.MaxPending = how, limit, pending
						c.MaxPendingBytes = c.leastPendingBytes()
					}
					s := openSource(t, edit)
					subscribe(t, s)
					r, err := nethttp.NewRequestWithContext(t.Context(), "POST", address(s), bytes.NewReader(compressed(t, encoding, []byte(body))))
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Content-Encoding", encoding)
					r.ContentLength = -1
					req, err := s.server.accept(r)
					if err != nil {
						t.Fatal(err)
					}
					s.backlog.drop(req)
					allFree(t, s)
					less := s.config
					less.MaxPendingBytes--
					if less.Validate() == nil {
						t.Error("one byte less is valid, too")
					}
				})
			}
		}
	}
}

// A body that ends with its connection is to be sent again; one that was sent
// whole and ends early must be mended.
func TestATornUploadIsSentAway(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx      context.Context
		encoding string
		end      error
		status   int
	}{
		"torn":                {t.Context(), "", io.ErrUnexpectedEOF, 503},
		"reset":               {t.Context(), "", &net.OpError{Op: "read", Err: io.ErrClosedPipe}, 503},
		"torn gzip":           {t.Context(), "gzip", io.ErrUnexpectedEOF, 503},
		"torn zstd":           {t.Context(), "zstd", io.ErrUnexpectedEOF, 503},
		"the client has left": {gone, "", fmt.Errorf("stream ended"), 503},
		"short gzip":          {t.Context(), "gzip", io.EOF, 400},
		"short zstd":          {t.Context(), "zstd", io.EOF, 400},
		"broken chunks":       {t.Context(), "", fmt.Errorf("malformed chunked encoding"), 400},
	} {
		t.Run(name, func(t *testing.T) {
			sent := compressed(t, c.encoding, bytes.Repeat([]byte("0123456789"), 1000))
			body := io.MultiReader(bytes.NewReader(sent[:len(sent)/2]), iotest.ErrReader(c.end))
			r := (&nethttp.Request{Header: nethttp.Header{}, Body: io.NopCloser(body), ContentLength: -1}).WithContext(c.ctx)
			r.Header.Set("Content-Encoding", c.encoding)
			_, err := readBody(r, 100_000, roomy())
			if status, _ := answerTo(err); err == nil || status != c.status {
				t.Errorf("status %d, %v; want %d", status, err, c.status)
			}
		})
	}
}

// The server's own bodies end as the above do.
func TestATornUploadOnTheWire(t *testing.T) {
	s := openSource(t, nil)
	subscribe(t, s)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.server.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 10\r\n\r\nhalf"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answer, err := nethttp.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if e := s.Events(); answer.StatusCode != 503 || e[eventSentAway] != 1 || e[eventInvalid] != 0 {
		t.Errorf("status %d, events %v", answer.StatusCode, e)
	}
}

// panicking is a body that cannot be read.
type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("cannot be read") }

// A panic while a request is read, which net/http survives, keeps nothing.
func TestAPanicFreesWhatWasReserved(t *testing.T) {
	s := openSource(t, func(c *SourceConfig) { c.MaxBodyBytes = feed.MiB })
	subscribe(t, s)
	r, err := nethttp.NewRequestWithContext(t.Context(), "POST", address(s), panicking{})
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 100
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = s.server.accept(r)
	}()
	allFree(t, s)
}
