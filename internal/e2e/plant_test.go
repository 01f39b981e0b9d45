package e2e_test

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// devices is how many devices the plant of these tests has.
const devices = 200

// plantYAML is the feed that carries the plant's readings: one queue and one
// route for each destination.
const plantYAML = `
name: plant
admin: {address: ADMIN}
log: {format: text, level: info}
drainTimeout: 15s
quarantine: {path: DIR/quarantine.db}
routes:
  telemetry:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: telemetry
        prefetch: WINDOW
        heartbeat: 5s
        declare: {exchange: {name: plant}, routingKeys: ["telemetry.#"]}
    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      mqtt: {url: "${MQTT_URL}", ackTimeout: 10s, connectTimeout: 5s}
    retry: {giveBackAfter: PATIENCE}
  archive:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: archive
        prefetch: WINDOW
        heartbeat: 5s
        declare: {exchange: {name: plant}, routingKeys: ["telemetry.#"]}
    sink:
      blob: {connectionString: "${BLOB}", container: CONTAINER, compression: gzip}
    batch: {maxMessages: WINDOW, maxDelay: 1s}
    retry: {giveBackAfter: PATIENCE}
`

// plant is a factory, a feed and what stands behind it.
type plant struct {
	t       *testing.T
	factory *witness.Factory
	feed    *feedProcess
	mqtt    *witness.Tally
	blobs   func() *witness.Tally
}

type places struct {
	amqpURL   string
	broker    *testenv.Broker
	container *testenv.Container
	window    int
	patience  time.Duration // until deliveries are given back; 0: 30s, the default
}

func newPlant(t *testing.T, p places) *plant {
	t.Helper()
	yaml := strings.NewReplacer("PATIENCE", cmp.Or(p.patience, 30*time.Second).String(), "CONTAINER", p.container.ContainerName, "WINDOW", fmt.Sprint(p.window), "DIR", t.TempDir()).Replace(plantYAML)
	pl := &plant{
		t:       t,
		factory: &witness.Factory{URL: p.amqpURL, Exchange: "plant", Published: witness.NewTally()},
		feed:    newFeed(t, yaml, "AMQP_URL="+p.amqpURL, "MQTT_URL="+p.broker.URL(), "BLOB="+p.container.ConnectionString()),
		mqtt:    witness.NewTally(),
	}
	subscriber, err := witness.Subscribe(t.Context(), p.broker.URL(), "kraft/#", pl.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = subscriber.Close() })
	pl.blobs = func() *witness.Tally {
		t.Helper()
		tally := witness.NewTally()
		if _, err := witness.ReadContainer(context.WithoutCancel(t.Context()), p.container.ConnectionString(), p.container.ContainerName, tally); err != nil {
			t.Fatal(err)
		}
		return tally
	}
	return pl
}

// readings returns n readings of all devices in turn, each about 200 bytes.
func readings(n int) func() (witness.Reading, bool) {
	i := 0
	begin := time.Now()
	return func() (witness.Reading, bool) {
		if i == n {
			return witness.Reading{}, false
		}
		device, seq := i%devices, uint64(i/devices+1)
		i++
		name := fmt.Sprintf("plc-%03d", device)
		key := fmt.Sprintf("telemetry.north.line-%d.%s.temperature", device%8, name)
		payload := fmt.Appendf(nil, `{"device":%q,"tag":"temperature","ts":%q,"value":%.3f,"quality":"good","seq":%d,"note":"0123456789012345678901234567890123456789012345678901234567"}`,
			name, begin.Add(time.Duration(i)*time.Millisecond).UTC().Format(time.RFC3339Nano), float64(i%1000)/7, seq)
		return witness.Reading{Device: name, Seq: seq, RoutingKey: key, Payload: payload}, true
	}
}

// await waits until the tally holds n different readings.
func (p *plant) await(what string, tally *witness.Tally, n uint64, patience time.Duration) {
	p.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for tally.Distinct() < n {
		select {
		case <-tally.Changed():
		case <-deadline.C:
			p.t.Fatalf("%s: %d of %d after %v; %+v", what, tally.Distinct(), n, patience, witness.Compare(p.factory.Published, tally))
		}
	}
}

// awaitDelivered waits until a route has delivered and settled n deliveries
// since the process started.
func (p *plant) awaitDelivered(route string, n uint64, patience time.Duration) {
	p.t.Helper()
	testenv.Eventually(p.t, patience, fmt.Sprintf("route %s to deliver %d", route, n), func() bool {
		s, err := p.feed.status()
		if err != nil {
			return false
		}
		for _, r := range s.Routes {
			if r.Name == route {
				return r.Deliveries.Delivered >= n
			}
		}
		return false
	})
}

// expect compares what arrived with what was published.
func (p *plant) expect(what string, tally *witness.Tally, maxDuplicates uint64) witness.Verdict {
	p.t.Helper()
	v := witness.Compare(p.factory.Published, tally)
	p.t.Logf("%s: %+v", what, v)
	if !v.Complete() {
		p.t.Errorf("%s: not everything arrived: %+v", what, v)
	}
	if v.Duplicates > maxDuplicates {
		p.t.Errorf("%s: %d duplicates, at most %d are allowed", what, v.Duplicates, maxDuplicates)
	}
	return v
}
