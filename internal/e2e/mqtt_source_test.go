package e2e_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// consumerYAML is a feed that takes the plant's readings from an MQTT broker,
// in a session for each destination.
const consumerYAML = `
name: consumer
admin: {address: ADMIN}
log: {format: text, level: info}
drainTimeout: 15s
quarantine: {path: DIR/quarantine.db}
routes:
  archive:
    source:
      mqtt: {url: "${MQTT_URL}", clientId: archive, topics: [plant/#], receiveMaximum: WINDOW, pingTimeout: 5s, connectTimeout: 5s}
    sink:
      blob: {url: "file://DIR/objects", path: "{date}/{hour}/{route}-{hash}", compression: plain}
    batch: {maxMessages: WINDOW, maxDelay: 200ms}
  relay:
    source:
      mqtt: {url: "${MQTT_URL}", clientId: relay, topics: [plant/#], receiveMaximum: WINDOW, pingTimeout: 5s, connectTimeout: 5s}
    sink:
      amqp: {url: "${AMQP_URL}", exchange: relayed}
`

// TestFromMQTTNothingIsLost publishes readings to Mosquitto while the feed is
// killed and Mosquitto is restarted, and looks for every one of them in files
// and behind RabbitMQ.
func TestFromMQTTNothingIsLost(t *testing.T) {
	t.Parallel() // it waits most of the time
	const window = 500
	n := testenv.Amount[uint64](14_000, 20_000)
	vhost := testenv.RabbitMQ(t)
	broker := testenv.Mosquitto(t, testenv.WithMosquittoSettings("persistence true"))
	dir := t.TempDir()
	objects := filepath.Join(dir, "objects")
	if err := os.Mkdir(objects, 0o755); err != nil {
		t.Fatal(err)
	}
	relayed := consumeAll(t, vhost.URL(), "relayed")
	p := newFeed(t, strings.NewReplacer("DIR", dir, "WINDOW", fmt.Sprint(window)).Replace(consumerYAML),
		"MQTT_URL="+broker.URL(), "AMQP_URL="+vhost.URL())
	p.start()
	p.ready() // the sessions are there: from here on the broker keeps what is published

	plant := &mqttPlant{addr: broker.Addr, published: witness.NewTally()}
	published := make(chan error, 1)
	go func() { published <- plant.publish(t.Context(), readings(int(n))) }()

	arrived := func(n uint64) {
		t.Helper()
		deadline := time.NewTimer(2 * time.Minute)
		defer deadline.Stop()
		for relayed.Distinct() < n {
			select {
			case <-relayed.Changed():
			case <-deadline.C:
				t.Fatalf("%d of %d behind RabbitMQ: %+v", relayed.Distinct(), n, witness.Compare(plant.published, relayed))
			}
		}
	}
	faults := []func(){
		func() { p.kill(); p.start() },
		func() { broker.Stop(); broker.Start() },
		func() { p.kill(); broker.Stop(); broker.Start(); p.start() },
		func() { broker.Stop(); broker.Start() },
		func() { p.kill(); p.start() },
	}
	for i, fault := range faults {
		arrived(n * uint64(i+1) / uint64(len(faults)+2))
		fault()
	}
	if err := <-published; err != nil {
		t.Fatal(err)
	}
	arrived(n)
	archived := func() *witness.Tally {
		tally := witness.NewTally()
		if _, err := witness.ReadDirectory(objects, tally); err != nil {
			t.Fatal(err)
		}
		return tally
	}
	testenv.Eventually(t, 2*time.Minute, "the files to hold everything", func() bool { return archived().Distinct() >= n })
	p.checkAccounts()
	if code, took := p.terminate(); code != 0 || took > drained {
		t.Errorf("exit code %d after %v", code, took)
	}
	// Mosquitto 2.0.11 sends more than the Receive Maximum in a session with a backlog, so that more than a window of
	// PUBACKs may be on their way to a broker that stops. If none arrived, all would come again with each fault.
	allowed := plant.republished + n
	for what, tally := range map[string]*witness.Tally{"files": archived(), "RabbitMQ": relayed} {
		v := witness.Compare(plant.published, tally)
		t.Logf("%s: %+v; the plant published %d again", what, v, plant.republished)
		if !v.Complete() {
			t.Errorf("%s: not everything arrived", what)
		}
		if v.Duplicates > allowed {
			t.Errorf("%s: %d duplicates, at most %d are allowed", what, v.Duplicates, allowed)
		}
	}
	if v := witness.Compare(plant.published, relayed); v.Disordered != 0 { // the names of files say nothing of the order
		t.Errorf("RabbitMQ: %d first occurrences came after a later one of their device", v.Disordered)
	}
	t.Logf("peak RSS %d kB", p.peakRSS)
	if p.peakRSS == 0 || p.peakRSS > maxRSS {
		t.Errorf("peak RSS %d kB, want at most %d", p.peakRSS, maxRSS)
	}
}

// mqttPlant publishes readings to an MQTT broker as a careful gateway does: with
// QoS 1, in order, and again until acknowledged.
type mqttPlant struct {
	addr        string
	published   *witness.Tally // what was acknowledged
	republished uint64         // each may have arrived twice
}

func (p *mqttPlant) publish(ctx context.Context, next func() (witness.Reading, bool)) error {
	r, more := next()
	for more {
		err := p.session(ctx, func(c *paho.Client) error {
			for more {
				topic := strings.ReplaceAll(strings.Replace(r.RoutingKey, "telemetry", "plant", 1), ".", "/")
				if _, err := c.Publish(ctx, &paho.Publish{Topic: topic, QoS: 1, Payload: r.Payload}); err != nil {
					return err
				}
				p.published.Add(r.Device, r.Seq)
				r, more = next()
			}
			return nil
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			p.republished++
			<-time.After(50 * time.Millisecond) // the broker is restarting
		}
	}
	return nil
}

// session publishes over one connection.
func (p *mqttPlant) session(ctx context.Context, publish func(*paho.Client) error) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.addr)
	if err != nil {
		return err
	}
	client := paho.NewClient(paho.ClientConfig{Conn: conn, PacketTimeout: time.Minute})
	defer func() {
		_ = client.Disconnect(&paho.Disconnect{}) // the broker may have gone already
		<-client.Done()
		_ = conn.Close()
	}()
	if _, err := client.Connect(ctx, &paho.Connect{ClientID: "plant", CleanStart: true}); err != nil {
		return err
	}
	return publish(client)
}

// consumeAll declares an exchange and tallies everything that is published to it.
func consumeAll(t *testing.T, url, exchange string) *witness.Tally {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	conn, err := amqp.Dial(url)
	must(err)
	ch, err := conn.Channel()
	must(err)
	must(ch.ExchangeDeclare(exchange, "topic", true, false, false, false, nil))
	queue, err := ch.QueueDeclare("", false, false, true, false, nil)
	must(err)
	must(ch.QueueBind(queue.Name, "#", exchange, false, nil))
	deliveries, err := ch.Consume(queue.Name, "", true, true, false, false, nil)
	must(err)
	tally, done := witness.NewTally(), make(chan struct{})
	go func() {
		defer close(done)
		for d := range deliveries {
			tally.AddJSON(d.Body)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close() // all has been read
		<-done
	})
	return tally
}
