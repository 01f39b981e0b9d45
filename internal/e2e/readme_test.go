package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
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
	file := filepath.Join(t.TempDir(), "devices.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	vhost := testenv.RabbitMQ(t)
	declareBound(t, vhost.URL(), "telemetry", "made")
	devices := exec.Command(feedBinary, "run", file)
	devices.Dir = filepath.Dir(file)
	devices.Env = append(os.Environ(), "AMQP_URL="+vhost.URL())
	var output strings.Builder
	devices.Stdout, devices.Stderr = &output, &output
	if err := devices.Start(); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "readings", func() bool {
		n, _, err := vhost.Queue("made")
		return err == nil && n >= 10
	})
	if err := devices.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := devices.Wait(); err != nil {
		t.Errorf("%v\n%s", err, &output)
	}
	for reading := range drain(t, vhost.URL(), "made") {
		key, _, _ := strings.Cut(reading, " ") // telemetry.SITE.LINE.DEVICE.TAG
		if !strings.HasPrefix(key, "telemetry.") || strings.Count(key, ".") != 4 {
			t.Fatalf("telemetry.yaml does not know %s", reading)
		}
	}
}
