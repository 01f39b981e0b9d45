package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// told waits until the one plugin of a host is in a state.
func told(t *testing.T, h *Host, want State) Plugin {
	t.Helper()
	s := h.plugins[0].supervisor
	deadline := time.After(30 * time.Second)
	for {
		s.mu.Lock()
		changed := s.changed
		s.mu.Unlock()
		p := h.Plugins()[0]
		if p.State == want {
			return p
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("it does not become %s: %+v", want, p)
		}
	}
}

// What is told of a plugin follows it to the end of its budget, and to a budget that is whole again.
func TestStatus(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "broken")
	settings := testSettings(t, script(t, filepath.Join(t.TempDir(), "acme"), "stages", "[ ! -e "+broken+" ] || exit 7"))
	settings.Limits.Restarts, settings.Limits.Within = 1, time.Hour
	h := open(t, settings)
	f, c := lookUp(t, h, feed.KindTransform, "stamp", `{"mark": "+"}`)
	stamp, err := f.Transform(c, feed.StageEnv{Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	first := told(t, h, StateRunning)
	if first.Budget != (Budget{0, 1, time.Hour}) || first.LastEnd != "" || first.PID == 0 || first.Since.IsZero() {
		t.Errorf("at first %+v", first)
	}

	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.plugins[0].supervisor.Failed(1, "garbage")
	second := told(t, h, StateLeftAlone)
	if second.Budget.Used != 1 || second.LastEnd != "it ended before the handshake: exit status 7" || !strings.Contains(second.Error, "its budget") ||
		second.PID != 0 || second.Restarts[reasonAnswer] != 1 || !second.Since.After(first.Since) {
		t.Errorf("then %+v", second)
	}

	// Whoever needs it waits until it runs again, and does not try.
	if err := stamp.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "its budget") {
		t.Errorf("the probe says %v", err)
	}

	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	h.Forgive()
	third := told(t, h, StateRunning)
	if err := errors.Join(stamp.Probe(t.Context()), stamp.Close()); err != nil {
		t.Errorf("the probe says %v", err)
	}
	if third.Budget.Used != 0 || third.Error != "" || third.LastEnd != second.LastEnd || third.PID == first.PID || !third.Since.After(second.Since) {
		t.Errorf("at last %+v", third)
	}
}
