package e2e_test

import (
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

// maxRSS is what the feed may use at its peak, in kB.
const maxRSS = 100 << 10

func TestEveryReadingArrives(t *testing.T) {
	t.Parallel() // while others wait
	n := testenv.Amount[uint64](30_000, 80_000)
	vhost := testenv.RabbitMQ(t)
	p := newPlant(t, places{amqpURL: vhost.URL(), broker: testenv.Mosquitto(t), container: testenv.Azurite(t), window: 4000})
	p.feed.start()
	p.feed.ready()

	begin := time.Now()
	if err := p.factory.Publish(t.Context(), readings(int(n))); err != nil {
		t.Fatal(err)
	}
	p.await("MQTT", p.mqtt, n, 3*time.Minute)
	p.awaitDelivered("archive", n, time.Minute)
	p.awaitDelivered("telemetry", n, time.Minute)
	t.Logf("%d readings in %v", n, time.Since(begin).Round(time.Millisecond))

	for _, r := range p.feed.checkAccounts().Routes {
		if r.Deliveries.Received != n || r.Deliveries.Delivered != n || r.Deliveries.InFlight != 0 {
			t.Errorf("route %s: account %+v, want %d received and delivered", r.Name, r.Deliveries, n)
		}
	}
	if code, took := p.feed.terminate(); code != 0 || took > drained {
		t.Errorf("exit code %d after %v, want 0 within the drain timeout", code, took)
	}
	if p.factory.Republished != 0 {
		t.Errorf("the factory had to publish %d readings again, though nothing failed", p.factory.Republished)
	}
	if v := p.expect("MQTT", p.mqtt, 0); v.Disordered != 0 {
		t.Errorf("MQTT: %d first occurrences came after a later one of their device", v.Disordered)
	}
	p.expect("blobs", p.blobs(), 0)
	for _, queue := range []string{"telemetry", "archive"} {
		testenv.Eventually(t, time.Minute, "queue "+queue+" to be empty", func() bool {
			messages, _, err := vhost.Queue(queue)
			return err == nil && messages == 0
		})
	}
	t.Logf("peak RSS %d kB", p.feed.peakRSS)
	if p.feed.peakRSS == 0 || p.feed.peakRSS > maxRSS {
		t.Errorf("peak RSS %d kB, want at most %d", p.feed.peakRSS, maxRSS)
	}
}

func TestTerminationUnderLoadLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel() // while others wait
	n := testenv.Amount[uint64](24_000, 60_000)
	p := newPlant(t, places{amqpURL: testenv.RabbitMQ(t).URL(), broker: testenv.Mosquitto(t), container: testenv.Azurite(t), window: 2000})
	p.feed.start()
	p.feed.ready()
	published := make(chan error, 1)
	go func() { published <- p.factory.Publish(t.Context(), readings(int(n))) }()
	for _, at := range []uint64{n / 12, n / 3, n * 2 / 3} {
		p.await("MQTT", p.mqtt, at, time.Minute)
		if code, took := p.feed.terminate(); code != 0 || took > drained {
			t.Errorf("exit code %d after %v, want 0 within the drain timeout", code, took)
		}
		p.feed.start()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	p.await("MQTT", p.mqtt, n, time.Minute)
	testenv.Eventually(t, time.Minute, "the blobs to hold everything", func() bool { return p.blobs().Distinct() >= n })
	p.feed.checkAccounts()
	if code, _ := p.feed.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if v := p.expect("MQTT", p.mqtt, 0); v.Disordered != 0 {
		t.Errorf("MQTT: %d out of order", v.Disordered)
	}
	p.expect("blobs", p.blobs(), 0)
}
