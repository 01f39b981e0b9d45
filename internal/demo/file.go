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
	routeMQTT    = "mqtt"
	routeArchive = "archive"
	routeBoth    = "telemetry"
)

// file is what the feed.yaml is made of.
type file struct {
	Place      *place // nil: no RabbitMQ
	MQTT       string // URL of the broker
	Blobs      string // directory
	Quarantine string // file
	Rate       int
	Devices    int
}

// text is the feed.yaml, but for what stands in angle brackets. It is no
// text/template: with that package in the binary the linker keeps all exported
// methods of all types, which made the binary a third larger. The URL of
// RabbitMQ may hold a password and comes from the environment.
const (
	text = `# The feed of "feed demo". Copy it, change the addresses, and run it:
#
<export>#   feed run feed.yaml
name: demo
quarantine: {path: <quarantine>}
admin: {address: "off"}
log: {level: warn}
routes:
<routes>`

	export = "#   export AMQP_URL=amqp://user:password@host:5672/\n" //nolint:gosec // a placeholder

	routesFromRabbitMQ = `  # Each sink has a queue of its own: when one is down, the other goes on.
  mqtt:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: <queue of mqtt>
        declare: # not needed where the queue exists
          type: quorum
          exchange: {name: <exchange>, type: topic}
          routingKeys: ["telemetry.#"]
    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      mqtt: {url: <mqtt>, qos: 1}
  archive:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: <queue of archive>
        prefetch: 40000 # a batch of the sink, and the next one that gathers
        declare:
          type: quorum
          exchange: {name: <exchange>, type: topic}
          routingKeys: ["telemetry.#"]
    sink:
      blob: {url: <blobs>, path: "{date}/{hour}/{route}-{hash}", compression: gzip}
    batch: {maxMessages: 20000, maxBytes: 16MiB, maxDelay: 1s} # few large files
`

	routeOfGenerated = `  telemetry:
    source:
      generate: {devices: <devices>, rate: <rate>, window: 20000}
    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      all: # each takes every message
        - mqtt: {url: <mqtt>, qos: 1}
        - blob: {url: <blobs>, path: "{date}/{hour}/{route}-{hash}", compression: gzip}
    batch: {maxMessages: 10000, maxDelay: 250ms}
`
)

// String returns the feed.yaml.
func (f file) String() string {
	values := []string{
		"<quarantine>", quote(f.Quarantine), "<mqtt>", quote(f.MQTT), "<blobs>", quote(f.Blobs),
		"<devices>", strconv.Itoa(f.Devices), "<rate>", strconv.Itoa(f.Rate),
	}
	structure := strings.NewReplacer("<export>", "", "<routes>", routeOfGenerated)
	if p := f.Place; p != nil {
		structure = strings.NewReplacer("<export>", export, "<routes>", routesFromRabbitMQ)
		values = append(values, "<exchange>", quote(p.exchange), "<queue of mqtt>", quote(p.queues[routeMQTT]), "<queue of archive>", quote(p.queues[routeArchive]))
	}
	return strings.NewReplacer(values...).Replace(structure.Replace(text))
}

// quote writes text as a YAML scalar that stands for nothing but itself.
func quote(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, "'", "''"), "$", "$$") + "'"
}

// write makes the feed.yaml at path.
func (f file) write(path string) error {
	return os.WriteFile(path, []byte(f.String()), 0o600)
}

// load reads the feed.yaml at path as "feed run" does, with AMQP_URL as the
// environment.
func (f file) load(path string, registry *feed.Registry) (*config.Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return config.Parse(path, data, registry, func(name string) (string, bool) {
		if name == "AMQP_URL" && f.Place != nil {
			return f.Place.url, true
		}
		return "", false
	})
}
