package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/stages/quarantine"
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
	q.Put(`{"value":212}`, `{"other":1}`, `{"value":`)
	q.End()
	path := filepath.Join(t.TempDir(), "out")
	account, err := run(t.Context(), q, path)
	if err != nil {
		t.Fatal(err)
	}
	if account.Received != 3 || account.Delivered != 1 || account.Filtered["no value"] != 1 || account.Quarantined["celsius"] != 1 || account.Check() != nil {
		t.Errorf("account %+v", account)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(raw)); got != `{"value":100}` {
		t.Errorf("wrote %s", got)
	}
	store, err := quarantine.OpenReadOnly(t.Context(), quarantine.Place{Path: path + ".quarantine.db", Feed: "example"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	items, err := store.List(t.Context(), quarantine.Query{})
	if err != nil || len(items) != 1 || !strings.Contains(items[0].Reason, "not a reading") {
		t.Errorf("quarantined %+v, error %v", items, err)
	}
}
