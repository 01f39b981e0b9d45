package e2e_test

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/blob"
)

// TestArchiveExample kills the feed of examples/feeds/archive.yaml while it
// writes to Azure. Only its addresses, its paths and the delay of its batches
// are the test's.
func TestArchiveExample(t *testing.T) {
	t.Parallel() // it waits most of the time
	n, kills, random := testenv.Amount(5000, 8000), testenv.Amount(5, 8), testenv.Random(t)
	raw, err := os.ReadFile("../../examples/feeds/archive.yaml")
	if err != nil {
		t.Fatal(err)
	}
	vhost, container := testenv.RabbitMQ(t), testenv.Azurite(t)
	yaml := strings.NewReplacer(
		"/var/lib/feed", t.TempDir(), `":9090"`, "ADMIN", "container: telemetry", "container: "+container.ContainerName, "maxDelay: 1m", "maxDelay: 100ms",
	).Replace(string(raw))
	p := newFeed(t, yaml, "AMQP_URL="+vhost.URL(), "AZURE_STORAGE_CONNECTION_STRING="+container.ConnectionString())
	p.start()
	p.ready()
	factory := &witness.Factory{URL: vhost.URL(), Exchange: "telemetry", Published: witness.NewTally(), Rate: 1000}
	published := make(chan error, 1)
	go func() { published <- factory.Publish(t.Context(), readings(n)) }()
	for range kills {
		<-time.After(time.Duration(random.Int64N(int64(time.Second))))
		p.kill()
		p.start()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	// Whatever the publisher had to send again is in the stream twice.
	awaitCommitted(t, p, 1, int64(n)+int64(factory.Republished)-1)
	p.checkAccounts()
	if code, took := p.terminate(); code != 0 {
		t.Errorf("exit code %d after %v", code, took)
	}

	cfg := blob.DefaultConfig()
	cfg.ConnectionString, cfg.Container = feed.NewSecret(container.ConnectionString()), container.ContainerName
	reader, err := blob.NewReader(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	type reading struct {
		Device string
		Seq    uint64
	}
	stored, lines := map[reading]int{}, 0
	offsets := map[string]string{} // by which a line is found
	for object, err := range reader.Objects(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		body, err := reader.Read(t.Context(), object.Name)
		if err != nil {
			t.Fatal(err)
		}
		for scan := bufio.NewScanner(body); scan.Scan(); lines++ {
			var line struct {
				Metadata map[string]string
				Payload  reading
			}
			if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
				t.Fatalf("%s: %v", object.Name, err)
			}
			stored[line.Payload]++
			offset := line.Metadata["x-stream-offset"]
			if other, ok := offsets[offset]; ok || offset == "" {
				t.Errorf("the offset %q is in %s and in %s", offset, object.Name, other)
			}
			offsets[offset] = object.Name
			if !strings.HasPrefix(object.Name, line.Payload.Device+"/") {
				t.Errorf("a reading of %s is in %s", line.Payload.Device, object.Name)
			}
		}
		if err := body.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d lines, %d readings, %d published again", lines, len(stored), factory.Republished)
	if len(stored) != n || lines != n+int(factory.Republished) {
		t.Errorf("%d lines of %d readings, want %d of %d", lines, len(stored), n+int(factory.Republished), n)
	}
}
