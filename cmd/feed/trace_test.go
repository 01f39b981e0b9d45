package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/ledger"
)

// TestTraceOfDamage: that nothing is found says how much could not be looked at.
func TestTraceOfDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	l, err := ledger.Open(ledger.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	l.Record(&feed.Hop{Feed: "line", Route: "archive"}, []feed.Ended{{ID: "41", DeliveryID: "41", Outcome: feed.Delivered, Received: now, Done: now}})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	p := &plant{dir: dir}
	if code, stdout, stderr := p.run(t, "trace", "41", "--ledger", dir); code != exitOK || !strings.Contains(stdout, "line/archive") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	segments, err := filepath.Glob(dir + "/*.ledger")
	if err != nil || len(segments) != 1 {
		t.Fatal(segments, err)
	}
	b, err := os.ReadFile(segments[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-1] ^= 1
	if err := os.WriteFile(segments[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := p.run(t, "trace", "41", "--ledger", dir)
	if code != exitFailure || !strings.Contains(stderr, "nothing found in 0 records, and ") || !strings.Contains(stderr, " bytes of the ledgers could not be read") || stdout != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}
