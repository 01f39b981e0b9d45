package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/ledger"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// TestLedgerTellsCauses: what the ledger knows of missing readings stands beside
// them, and changes no verdict; without a ledger that can be read all goes on.
func TestLedgerTellsCauses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	lost := make([]validate.Record, 3)
	for i := range lost {
		lost[i] = validate.Record{Reading: reading.Reading{
			Device: "press7", Tag: "pressure", Time: time.Date(2026, 3, 1, 0, i, 0, 0, time.UTC).UnixNano(), Value: reading.OfInt(int64(i)), Quality: "good", Seq: uint64(100 + i),
		}}
	}
	compare := func(flags ...string) (code int, stdout, stderr string) {
		c := newComparison(t)
		text, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		text = fmt.Appendf(text, "ledger: {path: %q}\n", dir)
		if err := os.WriteFile(c.file, []byte(strings.Replace(string(text), "level: error", "level: warn", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		c.expected.Put(lost...)
		return c.validate(t, flags...)
	}

	code, stdout, stderr := compare()
	if code != exitFailure || !strings.Contains(stderr, "there is no ledger") || !strings.Contains(stdout, "3 readings are missing") {
		t.Errorf("without the ledger: exit code %d\n%s%s", code, stdout, stderr)
	}

	l, err := ledger.Open(ledger.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	done := time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC)
	ended := func(r *validate.Record, o feed.Outcome, reason string) feed.Ended {
		return feed.Ended{ID: fmt.Sprint(r.Seq), Topic: "telemetry", Payload: r.AppendJSON(nil), Outcome: o, Reason: reason, Received: done, Done: done}
	}
	l.Record(&feed.Hop{Feed: "line", Route: "archive", Source: "amqp", Sink: "blob", To: "https://plant/telemetry"}, []feed.Ended{
		ended(&lost[0], feed.Delivered, ""), ended(&lost[1], feed.Quarantined, "no rule"),
	})
	// Of each route the last counts.
	returned, delivered := ended(&lost[1], feed.Returned, "down"), ended(&lost[1], feed.Delivered, "")
	returned.Done, delivered.Done = done.Add(time.Second), done.Add(2*time.Second)
	l.Record(&feed.Hop{Feed: "line", Route: "live", Source: "amqp", Sink: "mqtt"}, []feed.Ended{returned, delivered})
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = compare("--json")
	for _, cause := range []string{"delivered by archive to blob https://plant/telemetry telemetry at 2026-03-01T01:00:00Z", "quarantined by archive: no rule; delivered by live to mqtt telemetry at 2026-03-01T01:00:02Z", "the ledger has nothing of it"} {
		if strings.Count(stdout, cause) != 1 {
			t.Errorf("%q does not stand there once", cause)
		}
	}
	if code != exitFailure || t.Failed() {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
}
