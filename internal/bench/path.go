package main

import (
	"strconv"
	"strings"
)

// The names of everything in the servers.
const (
	exchangeName = "bench"
	queueName    = "bench"
)

// path is one of the ways that are measured: what both contenders do.
type path struct {
	name     string // as an argument: "mqtt" or "blob"
	title    string
	about    string // what both contenders do
	prefetch int
	batch    int    // messages of a batch, where the job says so
	route    string // of the feed, in YAML
}

// feedYAML is the feed's configuration around a route.
const feedYAML = `name: bench
log: {level: warn}
admin: {address: "127.0.0.1:0"}
quarantine: {path: "DIR/quarantine.db"}
routes:
  bench:
    source:
      amqp: {url: "${AMQP_URL}", queue: "${QUEUE}", prefetch: PREFETCH}
`

// paths returns all paths.
func paths() []path {
	return []path{
		{
			name:     "mqtt",
			title:    "AMQP → MQTT 5, QoS 1",
			about:    "From a quorum queue to Mosquitto: the routing key `telemetry.SITE.LINE.DEVICE.TAG` becomes the topic `kraft/SITE/LINE/DEVICE/TAG`; a message is acknowledged to RabbitMQ after its PUBACK, in order, many at a time.",
			prefetch: 4000,
			route: `    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      mqtt: {url: "mqtt://${MQTT_ADDRESS}", qos: 1}
`,
		},
		{
			name:     "blob",
			title:    "AMQP → Azure Blob, NDJSON",
			about:    "From a quorum queue to Azurite: a new blob of uncompressed lines for every 10,000 messages, or after a second; they are acknowledged to RabbitMQ together when the blob is there.",
			prefetch: 20_000,
			batch:    10_000,
			route: `    sink:
      blob: {connectionString: "${BLOB_CONNECTION}", container: "${CONTAINER}", compression: plain}
    batch: {maxMessages: BATCH, maxBytes: 64MiB, maxDelay: 1s}
`,
		},
	}
}

// yaml returns the feed's configuration; dir is for its files. Addresses and
// credentials come from the environment.
func (p path) yaml(dir string) string {
	return strings.NewReplacer(
		"DIR", dir, "PREFETCH", strconv.Itoa(p.prefetch), "BATCH", strconv.Itoa(p.batch),
	).Replace(feedYAML + p.route)
}

// env tells both contenders what to do; the addresses come on top.
func (p path) env() []string {
	return []string{"QUEUE=" + queueName, "PREFETCH=" + strconv.Itoa(p.prefetch), "BATCH=" + strconv.Itoa(p.batch)}
}

func findPath(name string) (path, bool) {
	for _, p := range paths() {
		if p.name == name {
			return p, true
		}
	}
	return path{}, false
}
