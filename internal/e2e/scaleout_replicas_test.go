package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/testenv"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// documented returns the YAML in docs/scaling.md that has the given line.
func documented(t *testing.T, line string) string {
	t.Helper()
	raw, err := os.ReadFile("../../docs/scaling.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, rest := range strings.Split(string(raw), "```yaml\n")[1:] {
		block, _, closed := strings.Cut(rest, "```")
		if closed && strings.Contains("\n"+block, "\n"+line+"\n") {
			return block
		}
	}
	t.Fatalf("docs/scaling.md has no YAML with the line %q", line)
	return ""
}

// shardExample returns the example that docs/scaling.md builds its shards of.
func shardExample(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("../../examples/feeds/shard.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// site is where replicas work: a broker on either side, and what arrives.
type site struct {
	*plant // without a feed of its own
	vhost  *testenv.Vhost
	broker *testenv.Broker
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{vhost: testenv.RabbitMQ(t), broker: testenv.Mosquitto(t)}
	s.plant = &plant{
		t:       t,
		factory: &witness.Factory{URL: s.vhost.URL(), Exchange: "telemetry", Published: witness.NewTally()},
		mqtt:    witness.NewTally(),
	}
	subscriber, err := witness.Subscribe(t.Context(), s.broker.URL(), "kraft/#", s.mqtt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = subscriber.Close() })
	return s
}

// replica makes a process of the documented configuration. Only its addresses
// and paths are the test's.
func (s *site) replica(yaml, host string, env ...string) *feedProcess {
	s.t.Helper()
	yaml = strings.NewReplacer("/var/lib/feed", s.t.TempDir(), `":9090"`, "ADMIN").Replace(yaml)
	return newFeed(s.t, yaml, append(env, "AMQP_URL="+s.vhost.URL(), "MQTT_URL="+s.broker.URL(), "HOSTNAME="+host)...)
}

// competing returns n processes that consume from one queue.
func (s *site) competing(n int) []*feedProcess {
	s.t.Helper()
	var all []*feedProcess
	for i := range n {
		all = append(all, s.replica(documented(s.t, "name: telemetry-competing"), fmt.Sprintf("feed-%d", i)))
	}
	return all
}

// shards returns a process for each shard of the example.
func (s *site) shards(set string) []*feedProcess {
	s.t.Helper()
	var all []*feedProcess
	for i := range shards {
		all = append(all, s.replica(shardExample(s.t), fmt.Sprintf("feed-%s-%d", set, i), fmt.Sprintf("SHARD=%d", i)))
	}
	return all
}

// shards is how many the example has.
const shards = 4

// startAll starts processes and waits until all are ready.
func startAll(all []*feedProcess) {
	for _, p := range all {
		p.start()
	}
	for _, p := range all {
		p.ready()
	}
}

// stopAll terminates processes; each must end well.
func stopAll(t *testing.T, all []*feedProcess) {
	t.Helper()
	for i, p := range all {
		p.checkAccounts()
		if code, took := p.terminate(); code != 0 {
			t.Errorf("process %d: exit code %d after %v", i, code, took)
		}
	}
}

// publish publishes readings in the background.
func (s *site) publish(next func() (witness.Reading, bool)) <-chan error {
	published := make(chan error, 1)
	go func() { published <- s.factory.Publish(s.t.Context(), next) }()
	return published
}

// delivered returns what each process has delivered since it started.
func delivered(t *testing.T, all []*feedProcess) []uint64 {
	t.Helper()
	var counts []uint64
	for _, p := range all {
		st, err := p.status()
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, deliveredOf(st))
	}
	return counts
}

func deliveredOf(s feed.Status) uint64 {
	var n uint64
	for _, r := range s.Routes {
		n += r.Deliveries.Delivered
	}
	return n
}

// killAtWork freezes the MQTT broker until the consumers of a queue hold n
// messages, and kills one of them as soon as they have begun to work these off.
func (s *site) killAtWork(p *feedProcess, queue string, n int) {
	s.t.Helper()
	s.broker.Pause()
	testenv.Eventually(s.t, time.Minute, fmt.Sprintf("%d messages in the hands of consumers", n), func() bool {
		_, unacked, err := s.vhost.Queue(queue)
		return err == nil && unacked >= n
	})
	moved := s.mqtt.Changed()
	s.broker.Resume()
	<-moved
	p.kill()
}
