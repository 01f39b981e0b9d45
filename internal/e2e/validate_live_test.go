package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/testenv"
)

// TestValidateLiveExample runs the example feed validate-live.yaml with short windows
// while devices deliver, with some damage and repetition on the way, to RabbitMQ and
// to the cloud API. The feed is killed in the middle. It proves window by window that
// nothing is missing, altered or made up.
func TestValidateLiveExample(t *testing.T) {
	t.Parallel() // it waits most of the time
	const n = 9_000
	vhost, db := testenv.RabbitMQ(t), testenv.PostgreSQL(t)
	api, err := cloudapi.Start(cloudapi.Options{Listen: "127.0.0.1:0", Data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := api.Close(); err != nil {
			t.Error(err)
		}
	}()
	secret, err := os.ReadFile(cloudapi.SecretPath(api.Path(), "validator"))
	if err != nil {
		t.Fatal(err)
	}
	reports := t.TempDir()
	env := append(ingestEnv(vhost.URL(), db), "CLOUD_URL="+api.URL(), "CLOUD_SECRET="+strings.TrimSpace(string(secret)))
	live := newExample(t, "validate-live.yaml", env, "/var/lib/feed/reports", reports, "window: 1h", "window: 3s", "lateness: 10m", "lateness: 2s", "every: 15m", "every: 1s")
	live.start()
	live.ready()
	figures := func() map[string]float64 {
		found := map[string]float64{}
		if s, err := live.status(); err == nil {
			for _, g := range s.Routes[0].Gauges {
				found[g.Gauge] = g.Value
			}
		}
		return found
	}

	// 18 seconds of three devices.
	sent := make(chan error, 1)
	go func() {
		out, err := exec.CommandContext(t.Context(), feedBinary, "simulate", "--url", vhost.URL(), "--api", api.URL(), "--client-id", "device",
			"--client-secret-file", cloudapi.SecretPath(api.Path(), "device"), "--devices", "3", "--rate", "500", "--batch-every", "1s",
			"--count", fmt.Sprint(n), "--chaos", "within=2,corrupt=1%,duplicate=3%").CombinedOutput()
		if err != nil {
			err = fmt.Errorf("feed simulate: %w:\n%s", err, out)
		}
		sent <- err
	}()
	testenv.Eventually(t, time.Minute, "something to be proven", func() bool { return figures()["readings_matched"] > n/10 })
	before := figures()
	live.kill()
	live.start()
	live.ready()
	testenv.Eventually(t, time.Minute, "more to be proven after the process was killed", func() bool {
		return figures()["readings_matched"] > before["readings_matched"]+n/10
	})
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "nearly all to be proven", func() bool {
		f := figures()
		return f["readings_matched"] > n*.6 && f["readings_missing"] == 0 && f["last_run_outcome"] == 0
	})
	f := figures()
	t.Logf("%v", f)
	if f["completeness_ratio"] != 1 || f["readings_altered"] != 0 || f["readings_extra"] != 0 || f["readings_expected"] != f["readings_matched"] {
		t.Errorf("%v", f)
	}
	if code, took := live.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}

	raw, err := os.ReadFile(filepath.Join(reports, "latest.json"))
	if err != nil {
		t.Fatal(err)
	}
	var last validate.Result
	if err := json.Unmarshal(raw, &last); err != nil || last.Observation.Name != "validator" || last.Expectation.Name != "cloudapi" {
		t.Errorf("the latest report is of %+v and %+v, %v", last.Expectation, last.Observation, err)
	}
}
