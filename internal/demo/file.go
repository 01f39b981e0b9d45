package demo

import (
	"os"
	"strings"
	"text/template"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// The names of the routes.
const (
	routeMQTT    = "mqtt"
	routeArchive = "archive"
	routeBoth    = "telemetry"
)

// file is what feed.yaml is made of.
type file struct {
	Place      *place // nil: no RabbitMQ
	MQTT       string // URL of the broker
	Blobs      string // directory
	Quarantine string // file
	Rate       int
	Devices    int
}

// fileTemplate makes the feed.yaml. The URL of RabbitMQ may hold a password and
// comes from the environment.
var fileTemplate = template.Must(template.New("feed.yaml").Funcs(template.FuncMap{"quote": quote}).Parse(
	`# The feed of "feed demo". Copy it, change the addresses, and run it:
#
{{- if .Place}}
#   export AMQP_URL=amqp://user:password@host:5672/
{{- end}}
#   feed run feed.yaml
name: demo
quarantine: {path: {{quote .Quarantine}}}
admin: {address: "off"}
log: {level: warn}
routes:
{{- if .Place}}
  # Each sink has a queue of its own: when one is down, the other goes on.
  mqtt:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: {{quote (index .Place.Queues "mqtt")}}
        declare: # not needed where the queue exists
          type: quorum
          exchange: {name: {{quote .Place.Exchange}}, type: topic}
          routingKeys: ["telemetry.#"]
    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      mqtt: {url: {{quote .MQTT}}, qos: 1}
  archive:
    source:
      amqp:
        url: ${AMQP_URL}
        queue: {{quote (index .Place.Queues "archive")}}
        prefetch: 40000 # a batch of the sink, and the next one that gathers
        declare:
          type: quorum
          exchange: {name: {{quote .Place.Exchange}}, type: topic}
          routingKeys: ["telemetry.#"]
    sink:
      blob: {url: {{quote .Blobs}}, path: "{date}/{hour}/{route}-{hash}", compression: gzip}
    batch: {maxMessages: 20000, maxBytes: 16MiB, maxDelay: 1s} # few large files
{{- else}}
  telemetry:
    source:
      generate: {devices: {{.Devices}}, rate: {{.Rate}}, window: 20000}
    transforms:
      - bridge:
          rules:
            - match: telemetry.{site}.{line}.{device}.{tag}
              topic: kraft/{site}/{line}/{device}/{tag}
    sink:
      all: # each takes every message
        - mqtt: {url: {{quote .MQTT}}, qos: 1}
        - blob: {url: {{quote .Blobs}}, path: "{date}/{hour}/{route}-{hash}", compression: gzip}
    batch: {maxMessages: 10000, maxDelay: 250ms}
{{- end}}
`))

// Queues and Exchange are for the template.
func (p *place) Queues() map[string]string { return p.queues }

// Exchange returns the name of the exchange.
func (p *place) Exchange() string { return p.exchange }

// quote writes text as a YAML scalar that stands for nothing but itself.
func quote(text string) string {
	return "'" + strings.ReplaceAll(strings.ReplaceAll(text, "'", "''"), "$", "$$") + "'"
}

// write makes the feed.yaml at path.
func (f file) write(path string) error {
	var b strings.Builder
	if err := fileTemplate.Execute(&b, f); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o600)
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
