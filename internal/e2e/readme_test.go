package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestReadmeDevices runs the feed with which README.md has readings made for
// telemetry.yaml, and looks for them where that one reads.
func TestReadmeDevices(t *testing.T) {
	t.Parallel() // it waits most of the time
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "cat >devices.yaml <<'END'\n")
	yaml, _, ended := strings.Cut(rest, "\nEND\n")
	if !found || !ended {
		t.Fatal("README.md has no devices.yaml")
	}
	vhost := testenv.RabbitMQ(t)
	declareBound(t, vhost.URL(), "telemetry", "made")
	devices := newFeed(t, strings.Replace(yaml, "address: off", "address: ADMIN", 1), "AMQP_URL="+vhost.URL())
	devices.start()
	testenv.Eventually(t, time.Minute, "readings", func() bool {
		n, _, err := vhost.Queue("made")
		return err == nil && n >= 10
	})
	if code, took := devices.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}
	for reading := range drain(t, vhost.URL(), "made") {
		key, _, _ := strings.Cut(reading, " ") // telemetry.SITE.LINE.DEVICE.TAG
		if !strings.HasPrefix(key, "telemetry.") || strings.Count(key, ".") != 4 {
			t.Fatalf("telemetry.yaml does not know %s", reading)
		}
	}
}
