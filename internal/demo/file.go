package demo

import (
	"os"
	"strconv"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// The names of the routes.
const (
	routeDevices = "devices"   // from the devices to RabbitMQ
	routeTruth   = "truth"     // from the devices to the cloud API
	routeIngest  = "ingest"    // from batches to readings
	routeMQTT    = "mqtt"      // from readings to MQTT
	routeArchive = "archive"   // from readings to files
	routeDirect  = "telemetry" // all of that within the process
)

// simulation is what the devices do. Some of it goes wrong on purpose.
type simulation struct {
	Devices, Rate int
	Start         string // RFC 3339
}

// The seed of the devices, and what goes wrong on the way to the feed, as shares
// of their batches.
const (
	seed  = 1
	chaos = "{corrupt: 2%, duplicate: 2%, reorder: 3%, garbage: 1%, within: 3}"
)

// file is what the files of the feeds are made of.
type file struct {
	Place        *place    // nil: no RabbitMQ
	Database     *database // nil: no PostgreSQL
	Dir          string    // of the demo, without a slash at the end
	MQTT         string    // URL of the broker
	API          string    // URL of the cloud API
	Client       string    // who the devices are to the API
	Secret       string    // file with its secret
	Reader       string    // who compares is to the API
	ReaderSecret string    // file with its secret
	Devices      simulation
}

// The texts of the files, but for what stands in angle brackets. They are no
// text/template: with that package in the binary the linker keeps all exported
// methods of all types, which made the binary a third larger. URLs that may hold a
// password come from the environment.
const (
	devicesText = `# The devices of "feed demo". They never end when it is run like this:
#
<export>#   feed run devices.yaml
name: devices
quarantine: {path: <dir>/refused.db}
admin: {address: "off"}
log: {level: warn}
routes:
<routes>`

	exportAMQP     = "#   export AMQP_URL=amqp://user:password@host:5672/\n"                 //nolint:gosec // a placeholder
	exportPostgres = "#   export POSTGRES_URL=postgres://user:password@host:5432/database\n" //nolint:gosec // a placeholder

	devicesToRabbitMQ = `  # On the way to RabbitMQ some batches are damaged, repeated or late.
  devices:
    source:
      simulate: {<simulation>, chaos: <chaos>}
    sink:
      amqp: {url: "${AMQP_URL}", exchange: <devices>, declare: {name: <devices>, type: topic}}
`

	devicesToAPI = `  # The cloud API gets the same batches, as they should be.
  truth:
    source:
      simulate: {<simulation>}
    sink:
      http:
        url: <api>/v1/batches
        oauth2: {tokenUrl: <api>/oauth2/token, clientId: <client>, clientSecret: <secret>, scopes: [readings.write]}
    batch: {maxMessages: 50} # as many requests
`

	feedText = `# The feed of "feed demo". Copy it, change the addresses, and run it:
#
<export>#   feed run feed.yaml
name: demo
quarantine: {path: <dir>/quarantine.db}
admin: {address: "off"}
log: {level: warn}
routes:
<routes># What the cloud API tells, compared with the files: feed validate feed.yaml
validate:
  expect:
    cloudapi: {url: <api>, oauth2: {clientId: <reader>, clientSecret: <reader secret>}}
  observe:
    blob: {url: <blobs>}
  window: 1s
  lateness: 0s
`

	routesFromRabbitMQ = `  # Batches become single readings. What is damaged goes to the quarantine.
  ingest:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: <queue of ingest>
        prefetch: 100 # each holds a hundred readings or so
        declare: # not needed where the queue exists
          type: quorum
          exchange: {name: <devices>, type: topic}
          routingKeys: ["batches.#"]
    transforms:
      - unbatch:
          cache: {path: <dir>/batches.db}
    sink:
<sinks>    batch: {maxMessages: 2000, maxBytes: 16MiB}
  # Each sink has a queue of its own: when one is down, the other goes on.
  mqtt:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: <queue of mqtt>
        declare:
          type: quorum
          exchange: {name: <telemetry>, type: topic}
          routingKeys: ["telemetry.#"]
    transforms:
<bridge>    sink:
      <mqtt>
  archive:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: <queue of archive>
        prefetch: 40000 # a batch of the sink, and the next one that gathers
        declare:
          type: quorum
          exchange: {name: <telemetry>, type: topic}
          routingKeys: ["telemetry.#"]
    sink:
      <blob>
    batch: {maxMessages: 20000, maxBytes: 16MiB, maxDelay: 1s} # few large files
`

	routeWithinProcess = `  # The devices hand their batches over within the process.
  telemetry:
    source:
      simulate: {<simulation>, chaos: <chaos>}
    transforms:
      - unbatch:
          cache: {path: <dir>/batches.db}
<bridge>    sink:
<sinks>    batch: {maxMessages: 2000, maxBytes: 16MiB, maxDelay: 250ms}
`

	bridge = `      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
`
	mqttSink     = `mqtt: {url: <broker>, qos: 1, auth: {method: k8s-sat, tokenFile: <dir>/token}}`
	blobSink     = `blob: {url: <blobs>, path: "{date}/{hour}/{route}-{hash}", compression: gzip}`
	amqpSink     = `amqp: {url: "${AMQP_URL}", exchange: <telemetry>, declare: {name: <telemetry>, type: topic}}`
	postgresSink = `postgres: {url: "${POSTGRES_URL}", schema: <schema>}`
	simulating   = `devices: <count>, rate: <rate>, seed: <seed>, start: <start>, codec: mixed, batch: {readings: 1000, every: 1s}`
)

// devices returns the devices.yaml.
func (f *file) devices() string {
	routes := devicesToAPI
	if f.Place != nil {
		routes = devicesToRabbitMQ + devicesToAPI
	}
	return f.fill(strings.NewReplacer("<routes>", routes).Replace(devicesText), f.Place != nil, false)
}

// feed returns the feed.yaml.
func (f *file) feed() string {
	routes, sinks := routesFromRabbitMQ, []string{amqpSink}
	if f.Place == nil {
		routes, sinks = routeWithinProcess, []string{mqttSink, blobSink}
	}
	if f.Database != nil {
		sinks = append(sinks, postgresSink)
	}
	text := strings.NewReplacer("<routes>", routes).Replace(feedText)
	text = strings.NewReplacer("<sinks>", listed(sinks), "<bridge>", bridge, "<mqtt>", mqttSink, "<blob>", blobSink).Replace(text)
	return f.fill(text, f.Place != nil, f.Database != nil)
}

// listed writes the sinks of a route.
func listed(sinks []string) string {
	if len(sinks) == 1 {
		return "      " + sinks[0] + "\n"
	}
	text := "      all: # each takes every message\n"
	for _, s := range sinks {
		text += "        - " + s + "\n"
	}
	return text
}

// fill writes the values, and which variables there are.
func (f *file) fill(text string, rabbitMQ, database bool) string {
	export := ""
	if rabbitMQ {
		export += exportAMQP
	}
	if database {
		export += exportPostgres
	}
	values := []string{
		"<export>", export, "<chaos>", chaos, "<count>", strconv.Itoa(f.Devices.Devices), "<rate>", strconv.Itoa(f.Devices.Rate),
		"<seed>", strconv.Itoa(seed), "<start>", quote(f.Devices.Start),
		"<dir>/quarantine.db", quote(f.Dir + "/quarantine.db"), "<dir>/refused.db", quote(f.Dir + "/refused.db"),
		"<dir>/batches.db", quote(f.Dir + "/batches.db"), "<dir>/token", quote(f.Dir + "/" + tokenName),
		"<blobs>", quote("file://" + f.Dir + "/" + blobsName), "<broker>", quote(f.MQTT),
		"<api>/v1/batches", quote(f.API + "/v1/batches"), "<api>/oauth2/token", quote(f.API + "/oauth2/token"),
		"<api>", quote(f.API),
		"<client>", quote(f.Client), "<secret>", fromFile(f.Secret), "<reader>", quote(f.Reader), "<reader secret>", fromFile(f.ReaderSecret),
	}
	if p := f.Place; p != nil {
		values = append(values, "<devices>", quote(p.devices), "<telemetry>", quote(p.telemetry),
			"<queue of ingest>", quote(p.queues[routeIngest]), "<queue of mqtt>", quote(p.queues[routeMQTT]), "<queue of archive>", quote(p.queues[routeArchive]))
	}
	if f.Database != nil {
		values = append(values, "<schema>", quote(f.Database.schema))
	}
	return strings.NewReplacer(values...).Replace(strings.ReplaceAll(text, "<simulation>", simulating))
}

// fromFile refers to a file that holds a secret.
func fromFile(path string) string { return "'${file:" + strings.ReplaceAll(path, "'", "''") + "}'" }

// quote writes text as a YAML scalar that stands for nothing but itself.
func quote(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, "'", "''"), "$", "$$") + "'"
}

// load writes a file and reads it as "feed run" does, with what the demo was given
// as the environment.
func (f *file) load(path, text string, registry *feed.Registry) (*config.Config, error) {
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return config.Parse(path, data, registry, func(name string) (string, bool) {
		switch {
		case name == "AMQP_URL" && f.Place != nil:
			return f.Place.url, true
		case name == "POSTGRES_URL" && f.Database != nil:
			return f.Database.url, true
		}
		return "", false
	})
}
