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

	"github.com/kraft-edge/datafeed/feed/ledger"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// TestTrace sends batches of simulated devices through ingest.yaml and
// telemetry.yaml, with ledgers: feed trace shows the way of one reading through all
// three routes of both feeds, to the topic and to the line that it stands in.
func TestTrace(t *testing.T) {
	t.Parallel() // while others wait
	vhost, broker, db := testenv.RabbitMQ(t), testenv.Mosquitto(t), testenv.PostgreSQL(t)
	archive := t.TempDir()
	env := append(ingestEnv(vhost.URL(), db), "MQTT_URL="+broker.URL())
	withLedger := func(further ...string) []string {
		return append(further, "log: {format: json}", "log: {format: json}\nledger: {path: "+filepath.Join(t.TempDir(), "ledger")+"}")
	}
	telemetry := newExample(t, "telemetry.yaml", env, withLedger("connectionString: ${AZURE_STORAGE_CONNECTION_STRING}", "url: file://"+archive,
		"        container: telemetry\n", "", "        azure: {createContainer: true}\n", "", "compression: zstd", "compression: plain", "maxDelay: 1m", "maxDelay: 1s")...)
	telemetry.start()
	telemetry.ready()
	ingest := newExample(t, "ingest.yaml", env, withLedger()...)
	ingest.start()
	ingest.ready()

	const n = 5000
	start := time.Now().Add(-24 * time.Hour).UTC().Truncate(time.Second)
	sendBatches(t, vhost.URL(), plantOf(n, start, 0, simulate.Chaos{Within: 1}), nil)
	testenv.Eventually(t, 2*time.Minute, "everything to be delivered", func() bool {
		s, err := telemetry.status()
		if err != nil {
			return false
		}
		for _, r := range s.Routes {
			if r.Deliveries.Delivered < n || r.Deliveries.InFlight > 0 {
				return false
			}
		}
		return true
	})
	for _, p := range []*feedProcess{ingest, telemetry} {
		p.checkAccounts()
		if code, took := p.terminate(); code != 0 {
			t.Errorf("exit code %d after %v", code, took)
		}
	}

	one := aReading(t, plantOf(n, start, 0, simulate.Chaos{Within: 1}))
	hops := trace(t, "--config", ingest.config, "--config", telemetry.config, "--device", one.Device, "--tag", one.Tag, "--seq", fmt.Sprint(one.Seq))
	byID := trace(t, "--config", ingest.config, "--config", telemetry.config, hops[0].ID)
	if len(hops) != 3 || len(byID) != 3 {
		t.Fatalf("%d hops of the reading, %d of its id, want 3: %+v", len(hops), len(byID), hops)
	}
	for i, want := range []string{"ingest/ingest", "telemetry/", "telemetry/"} {
		h := hops[i]
		if !strings.HasPrefix(h.Feed+"/"+h.Route, want) || h.Outcome != "delivered" || h.Reading == nil || *h.Reading != one || h.ID != hops[0].ID {
			t.Errorf("hop %d: %+v, want one of %s", i+1, h, want)
		}
		if h.Digest != hops[0].Digest {
			t.Errorf("hop %d: the payload is another one, which no transform has made", i+1)
		}
		switch h.Route {
		case "ingest":
			if !strings.HasSuffix(h.From, "/batches") || h.DeliveryID == h.ID || !strings.Contains(h.To, "/telemetry") {
				t.Errorf("ingest: %+v", h)
			}
		case "mqtt":
			if !strings.Contains(h.To, broker.URL()) || !strings.HasPrefix(h.Topic, "kraft/") || !strings.HasPrefix(h.DeliveryTopic, "telemetry.") {
				t.Errorf("mqtt: %+v", h)
			}
		case "archive":
			if len(h.Places) != 1 {
				t.Fatalf("archive: %+v", h)
			}
			data, err := os.ReadFile(filepath.Join(archive, h.Places[0].Object))
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(string(data), "\n")
			if line := lines[h.Places[0].Position-1]; !strings.Contains(line, fmt.Sprintf(`"seq":%d`, one.Seq)) || !strings.Contains(line, one.Device) {
				t.Errorf("another line stands there: %s", line)
			}
		}
	}
	text, err := exec.Command(feedBinary, "trace", hops[0].ID, "--config", ingest.config, "--config", telemetry.config).Output()
	if err != nil || !strings.Contains(string(text), "telemetry/archive") || !strings.Contains(string(text), hops[0].DeliveryID) {
		t.Errorf("%v\n%s", err, text)
	}
	t.Logf("\n%s", text)
}

// aReading returns one of those that simulated devices send.
func aReading(t *testing.T, c simulate.Config) ledger.Identity {
	t.Helper()
	s := simulator(t, c)
	defer s.Close()
	sub, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close() //nolint:errcheck // nothing is settled
	ds, err := sub.Receive(t.Context(), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.Parse(ds[0].Message.Payload, batch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	rs, err := b.Decode(batch.All(), nil, batch.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	r := rs[len(rs)/2]
	return ledger.Identity{Device: r.Device, Tag: r.Tag, Time: r.Time, Seq: r.Seq}
}

// trace runs feed trace and returns the hops.
func trace(t *testing.T, args ...string) []ledger.Entry {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), feedBinary, append([]string{"trace", "--json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("feed trace %v: %v\n%s", args, err, out)
	}
	var found struct{ Hops []ledger.Entry }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	return found.Hops
}
