package main

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// path is one of the things that are measured: what both contenders do.
type path struct {
	name   string // as an argument
	title  string
	about  string // what both contenders do
	legs   []leg
	steady bool // messages come at a rate, instead of waiting in the queue
	// perBatch is how many readings a message in the queue holds; 0: it is one.
	perBatch int
	fromMQTT bool // messages wait in a session at Mosquitto instead of a queue
	inPlugin bool // the bridge runs in a plugin; the baseline is a feed in whose own process it runs
	goals    []goal
}

// leg is one way from a queue of its own to a destination: a route of the feed,
// a job of the plain loop.
type leg struct {
	job         string // of the plain loop
	name        string // of the queue, after a prefix; empty: the job
	binding     string // of the queue; empty: it holds every message
	fed         bool   // the queue is filled by another leg of the path
	source      string // of the feed's route, in YAML; empty: the queue
	destination string // "mqtt", "blob", "queue" or "postgres"
	prefetch    int
	batch       int    // messages of a batch, readings of a transaction, where the job says so
	stages      string // of the feed's route after its source, in YAML
}

var (
	mqttLeg = leg{job: "mqtt", destination: "mqtt", prefetch: 2000, stages: `    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      mqtt: {url: "mqtt://${MQTT_ADDRESS}", qos: 1}
`}
	jsonLeg = leg{job: "mqtt-json", destination: "mqtt", prefetch: 2000, stages: `    transforms:
      - bridge:
          rules:
            - match: telemetry.{...}
              fields: {/site: "{site}", /line: "{line}", /device: "{device}", /tag: "{tag}"}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      mqtt: {url: "mqtt://${MQTT_ADDRESS}", qos: 1}
`}
	blobLeg = leg{job: "blob", destination: "blob", prefetch: 20_000, batch: 10_000, stages: `    sink:
      blob: {connectionString: "${BLOB_CONNECTION}", container: "${CONTAINER}", compression: plain}
    batch: {maxMessages: BATCH, maxBytes: 64MiB, maxDelay: 1s}
`}
	fromMQTTLeg = leg{job: "mqtt-blob", destination: "blob", prefetch: 20_000, batch: 10_000, source: `  QUEUE:
    source:
      mqtt: {url: "mqtt://${MQTT_ADDRESS}", clientId: "` + sessionName + `", topics: ["` + sessionFilter + `"], receiveMaximum: PREFETCH}
`, stages: blobLeg.stages}
	unbatchLeg = leg{job: "unbatch", binding: "batches.#", destination: "queue", prefetch: 20, stages: `    transforms:
      - unbatch: {}
    sink:
      amqp: {url: "${AMQP_URL}", exchange: bench-out}
    batch: {maxMessages: 20_000, maxBytes: 16MiB}
`}
	pluginLeg = leg{job: "mqtt", destination: "mqtt", prefetch: 2000, batch: 500, stages: mqttLeg.stages + `    batch: {maxMessages: BATCH}
`}
	ingestLeg = leg{job: "ingest", binding: "batches.#", destination: "postgres", prefetch: 50, batch: 10_000, stages: `    transforms:
      - unbatch: {cache: {path: "DIR/batches.db", maxBytes: 1GiB}}
    sink:
      all:
        - postgres: {url: "${POSTGRES_URL}"}
        - amqp: {url: "${AMQP_URL}", exchange: bench}
    batch: {maxMessages: BATCH, maxBytes: 16MiB}
`}
)

// filledByOther returns the leg with a queue that another leg of the path fills.
func (l leg) filledByOther() leg {
	l.fed = true
	return l
}

// paths returns all paths.
func paths() []path {
	return []path{
		{
			name:  "mqtt",
			title: "AMQP → MQTT 5, QoS 1",
			about: "From a quorum queue to Mosquitto: the routing key `telemetry.SITE.LINE.DEVICE.TAG` becomes the topic `kraft/SITE/LINE/DEVICE/TAG`; a message is acknowledged to RabbitMQ after its PUBACK, in order, many at a time.",
			legs:  []leg{mqttLeg},
			goals: []goal{ratio(cpuMetric, 0.30), ratio(rateMetric, 1.4), absolute(rssMetric, 30)},
		},
		{
			name:  "mqtt-json",
			title: "AMQP → MQTT 5, topic from the payload",
			about: "As before, but site, line, device and tag are read from the JSON payload: by the feed's bridge with `fields`, by the plain loop with `json.Unmarshal` into a struct of these four.",
			legs:  []leg{jsonLeg},
			goals: []goal{ratio(cpuMetric, 0.35), ratio(rateMetric, 1.3)},
		},
		{
			name:  "blob",
			title: "AMQP → Azure Blob, NDJSON",
			about: "From a quorum queue to Azurite: a new blob of uncompressed lines for every 10,000 messages, or after a second; they are acknowledged to RabbitMQ together when the blob is there.",
			legs:  []leg{blobLeg},
			goals: []goal{ratio(cpuMetric, 1.0), ratio(rateMetric, 1.0), absolute(rssMetric, 60)},
		},
		{
			name:  "both",
			title: "AMQP → MQTT and Azure Blob",
			about: "Both from two queues that are bound to the same exchange, so that each holds every message: two routes in one feed, two loops in one process. 100,000 messages are here 100,000 in each queue, and everything has to arrive at both ends.",
			legs:  []leg{mqttLeg, blobLeg},
			goals: []goal{ratio(cpuMetric, 0.40), ratio(rateMetric, 1.2)},
		},
		{
			name:     "unbatch",
			title:    "AMQP batches → single AMQP messages",
			about:    "From a quorum queue with frames of 1,000 readings, JSON lines in gzip, to another quorum queue: each reading a persistent, confirmed message with a routing key and an id of its own; a batch is acknowledged when all of its readings are confirmed. The plain loop unpacks with the standard library, reads the four names of each line with `json.Unmarshal` and publishes with deferred confirms.",
			legs:     []leg{unbatchLeg},
			perBatch: 1000,
			goals:    []goal{ratio(cpuMetric, 0.95), ratio(rateMetric, 1.0)},
		},
		{
			name:     "whole",
			title:    "The whole feed: AMQP batches → PostgreSQL and single messages → MQTT and Azure Blob",
			about:    "A chain in one process. The batches of the path before are unpacked; each reading is stored in PostgreSQL once, and published to an exchange, persistent and confirmed; a batch is acknowledged when both is done. From two queues at that exchange the readings go on at the same time: to Mosquitto as on the first path, and to Azurite as blobs of up to 10,000 lines. The feed runs three routes: `unbatch` with its cache, and the sink `all` of `postgres` and `amqp`; `bridge` and `mqtt`; `blob`. The plain loop runs three loops: the first reads each line with `json.Unmarshal`, publishes with deferred confirms, and copies the readings of up to ten batches in a transaction (`COPY` to a temporary table, `INSERT … ON CONFLICT DO NOTHING`). Both make their tables when they start. A message is here a reading that has gone all the way.",
			legs:     []leg{ingestLeg, mqttLeg.filledByOther(), blobLeg.filledByOther()},
			perBatch: 1000,
			goals:    []goal{ratio(cpuMetric, 0.95)},
		},
		{
			name:     "mqtt-blob",
			title:    "MQTT 5 → Azure Blob, NDJSON",
			about:    "From a persistent session at Mosquitto, in which the messages wait, to Azurite: a new blob of uncompressed lines for every 10,000 messages, or after a second; they are acknowledged to Mosquitto when the blob is there.",
			legs:     []leg{fromMQTTLeg},
			fromMQTT: true,
			goals:    []goal{ratio(cpuMetric, 1.0), ratio(rateMetric, 1.0)},
		},
		{
			name:     "plugin",
			title:    "A transform in a plugin",
			about:    "The first path with the bridge, which sets the topic and leaves the payload, in a plugin, and again with it in the feed's own process.",
			legs:     []leg{pluginLeg},
			inPlugin: true,
			goals:    []goal{added(messageCPUMetric, 6), ratio(rateMetric, 0.6)},
		},
		{
			name:   "steady",
			title:  "AMQP → MQTT at a steady rate",
			about:  "The first path while messages come evenly: a gateway publishes them to the exchange, persistent and with publisher confirms, each at its time; an MQTT subscriber notes when it arrives.",
			legs:   []leg{mqttLeg},
			steady: true,
			goals:  []goal{ratio(cpuMetric, 0.5), ratio(p50Metric, 1.0)},
		},
	}
}

// sides names the two that are compared: the feed, and its baseline.
func (p path) sides() (feed, baseline string) {
	if p.inPlugin {
		return "in a plugin", "in process"
	}
	return "feed", "plain loop"
}

// pairwise says what is taken pair by pair.
func (p path) pairwise() string {
	if p.inPlugin {
		return "ratio and difference are taken pair by pair"
	}
	return "the ratio is taken pair by pair"
}

// inProcess is the path with the bridge in the feed's own process.
func (p path) inProcess() path {
	p.inPlugin = false
	return p
}

// metrics returns what is measured on the path, the most important first.
func (p path) metrics() []metric {
	if p.inPlugin {
		return []metric{messageCPUMetric, startMetric, rateMetric, ownMetric, rssMetric}
	}
	if p.steady {
		return []metric{cpuMetric, p50Metric, p99Metric, maxMetric, ownMetric, rssMetric}
	}
	return []metric{cpuMetric, rateMetric, ownMetric, rssMetric}
}

// feedYAML is the feed's configuration before its routes.
const feedYAML = `name: bench
log: {level: warn}
admin: {address: "ADMIN"}
quarantine: {path: "DIR/quarantine.db"}
routes:
`

// routeYAML is a route as far as its source.
const routeYAML = `  QUEUE:
    source:
      amqp: {url: "${AMQP_URL}", queue: QUEUE, prefetch: PREFETCH}
`

// anyPort is an admin address for those who do not ask there.
const anyPort = "127.0.0.1:0"

// pluginYAML names the plugin.
const pluginYAML = `plugins: {directory: "DIR/` + pluginFolder + `"}
`

// pluginStage is what the plugin calls its bridge: a feed has one of that name.
const pluginStage = "plugin-bridge"

// yaml returns the feed's configuration; dir is for its files, admin the
// address of its admin server. Other addresses, and credentials, come from the
// environment.
func (p path) yaml(dir, admin string) string {
	text, stages := feedYAML, strings.NewReplacer()
	if p.inPlugin {
		text, stages = pluginYAML+feedYAML, strings.NewReplacer("- bridge:", "- "+pluginStage+":")
	}
	text = strings.NewReplacer("DIR", dir, "ADMIN", admin).Replace(text)
	for _, l := range p.legs {
		text += strings.NewReplacer(
			"DIR", dir, "QUEUE", l.queue(), "PREFETCH", strconv.Itoa(l.prefetch), "BATCH", strconv.Itoa(l.batch),
		).Replace(cmp.Or(l.source, routeYAML) + stages.Replace(l.stages))
	}
	return text
}

// jobs returns the plain loop's arguments for the same.
func (p path) jobs() []string {
	args := make([]string, len(p.legs))
	for i, l := range p.legs {
		args[i] = strings.Join([]string{l.job, l.queue(), strconv.Itoa(l.prefetch), strconv.Itoa(l.batch)}, ":")
	}
	return args
}

func (l leg) queue() string { return "bench-" + cmp.Or(l.name, l.job) }

// everything is the binding of a queue that holds every message.
const everything = "telemetry.#"

// bindings returns the queues of all legs, and the binding of each.
func (p path) bindings() []binding {
	var all []binding
	for _, l := range p.legs {
		if l.source == "" {
			all = append(all, binding{queue: l.queue(), key: cmp.Or(l.binding, everything), fed: l.fed})
		}
	}
	return all
}

// chain reports whether a leg fills the queue of another.
func (p path) chain() bool {
	return slices.ContainsFunc(p.legs, func(l leg) bool { return l.fed })
}

// leastBytes is what a contender writes at a time while it has something to do,
// see [ackBytes]. A chain is looked at for a while after its end, in which its
// connections, two for a leg, may write a heartbeat of eight bytes each.
//
// The heartbeat of a plugin is longer than an acknowledgement; but where messages
// go to a plugin and on, much is written at a time.
func (p path) leastBytes() uint64 {
	switch {
	case p.chain():
		return uint64(8 + 2*8*len(p.legs))
	case p.inPlugin:
		return leastWork
	}
	return ackBytes
}

// leastWork is more than the bytes of a plugin's heartbeat, and less than those of
// ten messages.
const leastWork = 1 << 10

// destinations returns the names of the destinations, each once.
func (p path) destinations() []string {
	var names []string
	for _, l := range p.legs {
		if !slices.Contains(names, l.destination) {
			names = append(names, l.destination)
		}
	}
	return names
}

func findPath(name string) (path, bool) {
	for _, p := range paths() {
		if p.name == name {
			return p, true
		}
	}
	return path{}, false
}
