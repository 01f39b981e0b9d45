package e2e_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// received returns how many deliveries a route has received.
func received(s feed.Status, route string) uint64 {
	for _, r := range s.Routes {
		if r.Name == route {
			return r.Deliveries.Received
		}
	}
	return 0
}

// The example that the README and deploy/compose.yaml run, between real
// servers. Only its addresses and paths are the test's.
func TestTelemetryExample(t *testing.T) {
	t.Parallel() // it waits most of the time
	const n = 5000
	raw, err := os.ReadFile("../../examples/feeds/telemetry.yaml")
	if err != nil {
		t.Fatal(err)
	}
	vhost, broker, container := testenv.RabbitMQ(t), testenv.Mosquitto(t), testenv.Azurite(t)
	yaml := strings.NewReplacer(
		"/var/lib/feed", t.TempDir(), `":9090"`, "ADMIN", "container: telemetry", "container: "+container.ContainerName,
	).Replace(string(raw))
	p := newFeed(t, yaml, "AMQP_URL="+vhost.URL(), "MQTT_URL="+broker.URL(), "AZURE_STORAGE_CONNECTION_STRING="+container.ConnectionString())
	p.start()
	p.ready()

	mqtt, blobs := witness.NewTally(), witness.NewTally()
	subscriber, err := witness.Subscribe(t.Context(), broker.URL(), "kraft/#", mqtt)
	if err != nil {
		t.Fatal(err)
	}
	factory := &witness.Factory{URL: vhost.URL(), Exchange: "telemetry", Published: witness.NewTally()}
	if err := factory.Publish(t.Context(), readings(n)); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, time.Minute, "all readings on MQTT", func() bool { return mqtt.Distinct() >= n })
	// The archive waits up to a minute for its batch to fill; stopping writes
	// what has gathered.
	testenv.Eventually(t, time.Minute, "the archive to have taken everything", func() bool {
		s, err := p.status()
		return err == nil && received(s, "archive") >= n
	})
	p.checkAccounts()
	if code, took := p.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}
	if err := subscriber.Close(); err != nil {
		t.Error(err)
	}
	if _, err := witness.ReadContainer(t.Context(), container.ConnectionString(), container.ContainerName, blobs); err != nil {
		t.Fatal(err)
	}
	for what, tally := range map[string]*witness.Tally{"MQTT": mqtt, "blobs": blobs} {
		if v := witness.Compare(factory.Published, tally); !v.Complete() || v.Duplicates > 0 {
			t.Errorf("%s: %+v", what, v)
		}
	}
}
