package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/embedded"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// TestTopologies runs each way from RabbitMQ to the broker of Azure IoT Operations
// that examples/topologies lists, with its files: the same messages arrive on
// the same topics. Only addresses, credentials and paths are the test's.
func TestTopologies(t *testing.T) {
	t.Parallel() // it waits most of the time
	const n = 2000
	mqttAddr := testenv.Address(t)
	node := testenv.PrivateRabbitMQ(t, testenv.WithRabbitMQPlugins("rabbitmq_mqtt"), testenv.WithRabbitMQSettings(
		example(t, "topologies/rabbitmq-mqtt.conf",
			"mqtt.listeners.tcp.default = 1883", "mqtt.listeners.tcp.local = "+mqttAddr,
			"mqtt.vhost = /", "mqtt.vhost = test",
		)...,
	))
	declareExchange(t, node.URL(), "telemetry")

	ends := map[string]*end{
		"feed": throughFeed(t, node.URL()), "Mosquitto": throughMosquitto(t, node.URL()), "plugin": throughPlugin(t, node, mqttAddr),
	}
	factory := &witness.Factory{URL: node.URL(), Exchange: "telemetry", Published: witness.NewTally()}
	want := map[string]int{}
	next := readings(n)
	if err := factory.Publish(t.Context(), func() (witness.Reading, bool) {
		r, ok := next()
		if ok {
			// As Mosquitto and the plugin have it.
			want["kraft/"+strings.ReplaceAll(strings.TrimPrefix(r.RoutingKey, "telemetry."), ".", "/")+" "+string(r.Payload)]++
		}
		return r, ok
	}); err != nil {
		t.Fatal(err)
	}
	for name, e := range ends {
		testenv.Eventually(t, time.Minute, name+": everything to arrive", func() bool { return e.count() >= n })
		if got := e.all(); !maps.Equal(got, want) {
			t.Errorf("%s: %d different messages arrived, not the %d that were published", name, len(got), len(want))
		}
	}
}

// throughFeed is the first topology.
func throughFeed(t *testing.T, amqpURL string) *end {
	const token = "service-account-token"
	e := newEnd(t, embedded.NewTokens(token))
	dir := t.TempDir()
	file := filepath.Join(dir, "broker-sat")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	runExample(t, "mqtt-azure-iot-operations.yaml", dir, []string{"AMQP_URL=" + amqpURL},
		"mqtts://aio-broker:18883", e.broker.URL(),
		"/var/run/secrets/tokens/broker-sat", file,
		"        tls: {caFile: /var/run/certs/ca.crt}\n", "",
	)
	return e
}

// throughMosquitto is the second.
func throughMosquitto(t *testing.T, amqpURL string) *end {
	e := newEnd(t, nil)
	relay := mosquitto(t, "topologies/mosquitto-relay.conf", e)
	runExample(t, "mqtt-mosquitto.yaml", t.TempDir(), []string{"AMQP_URL=" + amqpURL, "MQTT_URL=" + relay.URL()})
	return e
}

// throughPlugin is the third. It returns when RabbitMQ has the session of the
// bridge: from then on nothing is missed.
func throughPlugin(t *testing.T, node *testenv.Node, mqttAddr string) *end {
	e := newEnd(t, nil)
	mosquitto(t, "topologies/mosquitto-from-rabbitmq.conf", e,
		"address rabbitmq:1883", "address "+mqttAddr,
		"remote_username bridge", "remote_username "+node.User,
		"remote_password change-me", "remote_password "+node.Password,
	)
	testenv.Eventually(t, time.Minute, "Mosquitto to subscribe at RabbitMQ", func() bool {
		queue, err := node.QueueInfo("mqtt-subscription-mosquittoqos1")
		return err == nil && queue.Consumers == 1
	})
	return e
}

// mosquitto starts a broker with the settings of an example.
func mosquitto(t *testing.T, file string, e *end, replace ...string) *testenv.Broker {
	t.Helper()
	lines := example(t, file, append(replace, "address aio-broker-x509:8883", "address "+strings.TrimPrefix(e.broker.URL(), "mqtt://"))...)
	var settings []string
	for _, line := range lines {
		key, _, _ := strings.Cut(line, " ")
		switch key {
		case "listener", "persistence_location", "bridge_cafile", "bridge_certfile", "bridge_keyfile":
			continue // the test's own, and no TLS
		}
		settings = append(settings, line)
	}
	return testenv.Mosquitto(t, testenv.WithMosquittoSettings(settings...))
}

// example returns the lines of an example but comments, with replacements.
func example(t *testing.T, file string, replace ...string) []string {
	t.Helper()
	raw, err := os.ReadFile("../../examples/" + file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	for i := 0; i < len(replace); i += 2 {
		if !strings.Contains(text, replace[i]) {
			t.Fatalf("%s has no %q", file, replace[i])
		}
		text = strings.ReplaceAll(text, replace[i], replace[i+1])
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

// runExample runs an example feed until the test ends.
func runExample(t *testing.T, file, dir string, env []string, replace ...string) *feedProcess {
	t.Helper()
	lines := example(t, "feeds/"+file, append(replace, "/var/lib/feed", dir)...)
	yaml := strings.Join(lines, "\n") + "\n"
	if strings.Contains(yaml, "\nadmin:") {
		t.Fatalf("%s has an admin server of its own", file)
	}
	p := newFeed(t, yaml+"admin: {address: ADMIN}\n", env...)
	p.start()
	p.ready()
	t.Cleanup(func() {
		if code, took := p.terminate(); code != 0 {
			t.Errorf("%s: exit code %d after %v", file, code, took)
		}
	})
	return p
}

// end is a broker at the end of the way, and what has arrived there.
type end struct {
	broker *embedded.Broker

	mu      sync.Mutex
	arrived map[string]int // by topic and payload
	sum     int
}

func newEnd(t *testing.T, tokens *embedded.Tokens) *end {
	t.Helper()
	e := &end{arrived: map[string]int{}}
	start := embedded.Start
	if tokens != nil {
		start = func() (*embedded.Broker, error) { return embedded.StartWithTokens(tokens) }
	}
	var err error
	if e.broker, err = start(); err != nil {
		t.Fatal(err)
	}
	stop, err := e.broker.Watch("kraft/#", func(topic string, payload []byte) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.arrived[topic+" "+string(payload)]++
		e.sum++
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		if err := e.broker.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func (e *end) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sum
}

func (e *end) all() map[string]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.arrived)
}

func declareExchange(t *testing.T, url, name string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the exchange is there
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	if err := ch.ExchangeDeclare(name, "topic", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
}
