package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/feedtest"
)

// The same suite that the project's own sinks run.
func TestFileSinkConforms(t *testing.T) {
	feedtest.TestSink(t, func(t *testing.T) feedtest.SinkUnderTest {
		path := filepath.Join(t.TempDir(), "out")
		sink, err := newFileSink(path)
		if err != nil {
			t.Fatal(err)
		}
		return feedtest.SinkUnderTest{
			Sink:    sink,
			Topic:   func(int) string { return "" },
			Payload: func(n, size int) []byte { return bytes.Repeat([]byte{byte('a' + n%26)}, size) },
			Stored: func(t testing.TB, _ int) []feedtest.Stored {
				raw, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				var stored []feedtest.Stored
				for line := range bytes.Lines(raw) {
					stored = append(stored, feedtest.Stored{Payload: bytes.TrimSuffix(line, []byte("\n"))})
				}
				return stored
			},
		}
	})
}

func TestOnlyReadingsPass(t *testing.T) {
	q := &feedtest.Queue{}
	q.Put(`{"value":212}`, `{"other":1}`)
	q.End()
	path := filepath.Join(t.TempDir(), "out")
	account, err := run(t.Context(), q, path)
	if err != nil {
		t.Fatal(err)
	}
	if account.Received != 2 || account.Delivered != 1 || account.Filtered["no value"] != 1 || account.Check() != nil {
		t.Errorf("account %+v", account)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(raw)); got != `{"value":100}` {
		t.Errorf("wrote %s", got)
	}
	if _, err := toCelsius(&message.Message{Payload: []byte("x")}); !feed.IsPermanent(err) {
		t.Errorf("malformed input: %v, want a permanent error", err)
	}
}
