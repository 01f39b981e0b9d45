package e2e_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// backlogYAML unpacks a stream of batches into files, with generous limits.
const backlogYAML = `
name: plant
admin: {address: ADMIN}
log: {format: text, level: info}
quarantine: {path: QUARANTINE}
routes:
  archive:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: batches
        declare: {type: stream}
    transforms: [unbatch: {}]
    sink:
      blob: {url: "file://DIR", path: "{date}/{hour}", exactlyOnce: true}
    batch: {maxMessages: 20000, maxBytes: 32MiB, maxDelay: 10s}
`

// An archive that comes back after an outage finds a long backlog of packed
// batches. What it makes of them must not be in memory at once: it would be killed,
// start, and be killed again, until the stream drops what it has not stored.
func TestBacklogOfAnArchiveTakesLittleMemory(t *testing.T) {
	t.Parallel()
	v := testenv.RabbitMQ(t)
	testenv.DeclareQueue(t, v.URL(), "batches", "stream", nil)
	conn, err := amqp091.Dial(v.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it only declares
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.ExchangeDeclare("devices", "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind("batches", "batches.#", "devices", false, nil); err != nil {
		t.Fatal(err)
	}
	const readings = 500_000
	devices := exec.Command(feedBinary, "simulate", "--url", v.URL(), "--count", "500000", "--rate", "0")
	if out, err := devices.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := newFeed(t, strings.NewReplacer("DIR", t.TempDir(), "QUARANTINE", filepath.Join(t.TempDir(), "quarantine.db")).Replace(backlogYAML), "AMQP_URL="+v.URL())
	p.start()
	testenv.Eventually(t, 3*time.Minute, "all readings to be stored", func() bool {
		p.measure()
		s, err := p.status()
		return err == nil && len(s.Routes) == 1 && s.Routes[0].Produced.Delivered >= readings
	})
	p.measure()
	// 20,000 readings are some 20 MiB, and were 200 at the peak with the first
	// batches, of which it is not known yet what they make. All would be 500.
	if peak := p.peakRSS >> 10; peak > 280 {
		t.Errorf("%d readings took %d MiB", readings, peak)
	} else {
		t.Logf("peak of memory: %d MiB", peak)
	}
	p.checkAccounts()
	if code, took := p.terminate(); code != 0 {
		t.Errorf("it ended with %d after %v", code, took)
	}
}
