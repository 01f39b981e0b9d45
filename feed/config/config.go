package config

import (
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Config describes a feed, as read from a file and checked.
type Config struct {
	Name         string        `yaml:"name" doc:"Name of the feed in logs and metrics."`
	Quarantine   Quarantine    `yaml:"quarantine" doc:"Where messages go that can never be delivered. Without it the first such message pauses its route."`
	Ledger       Ledger        `yaml:"ledger" doc:"Keeps what became of each message, for feed trace. Without it nothing is kept."`
	Plugins      Plugins       `yaml:"plugins" doc:"Stages in processes of their own."`
	Admin        Admin         `yaml:"admin" doc:"The HTTP server for health, metrics and status."`
	OTLP         OTLP          `yaml:"otlp" doc:"Sends traces, and if wanted metrics, to a receiver of OpenTelemetry. Without it nothing is sent."`
	Log          Log           `yaml:"log" doc:"What is logged, to standard error."`
	DrainTimeout time.Duration `yaml:"drainTimeout" doc:"How long a stopping feed finishes what is in flight before it gives it back to its sources."`
	Routes       Routes        `yaml:"routes" doc:"The routes by name. Each leads from one source through transforms to one sink."`
	Validate     Validation    `yaml:"validate" doc:"What feed validate compares: what there should be, and where it should have arrived."`
	Tests        []Test        `yaml:"tests" doc:"What feed test checks: messages that the transforms of a route get, and what must become of them."`

	// Warnings are doubts about the file that do not keep it from running.
	Warnings []Problem `yaml:"-"`

	file string
}

// Admin configures the HTTP server for health, metrics and status.
type Admin struct {
	Address string   `yaml:"address" doc:"Host and port to listen on; empty or off starts no server. Beyond this machine only /healthz and /readyz are served, unless expose lists more."`
	Expose  []Expose `yaml:"expose" doc:"What else is served when the address can be reached from other machines."`
}

// Off reports whether no server is wanted.
func (a Admin) Off() bool { return a.Address == "" || a.Address == "off" }

// Expose names a part of the admin server that is served beyond this machine
// only when the file says so.
type Expose string

// What can be exposed.
const (
	ExposeMetrics Expose = "metrics"
	ExposeStatus  Expose = "status"
)

// Values returns all that can be exposed.
func (Expose) Values() []string { return []string{string(ExposeMetrics), string(ExposeStatus)} }

// Log configures the feed's log.
type Log struct {
	Format LogFormat `yaml:"format" doc:"Form of a log line."`
	Level  LogLevel  `yaml:"level" doc:"Least severity that is logged."`
}

// LogFormat is the form of a log line.
type LogFormat string

// The log formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Values returns all log formats.
func (LogFormat) Values() []string { return []string{string(LogText), string(LogJSON)} }

// LogLevel is the severity of a log line.
type LogLevel string

// The log levels.
const (
	LogDebug LogLevel = "debug"
	LogInfo  LogLevel = "info"
	LogWarn  LogLevel = "warn"
	LogError LogLevel = "error"
)

// Values returns all log levels.
func (LogLevel) Values() []string {
	return []string{string(LogDebug), string(LogInfo), string(LogWarn), string(LogError)}
}

// Routes are the routes of a file, in its order.
type Routes []*Route

// Route describes a route.
type Route struct {
	Name string `yaml:"-"`

	Source     Stage   `yaml:"source" stage:"source" doc:"Where the messages come from: one stage with its settings."`
	Transforms []Stage `yaml:"transforms" stage:"transform" doc:"What happens to each message on its way, in this order."`
	Sink       Sinks   `yaml:"sink" stage:"sink" doc:"Where the messages go: one stage with its settings, or all: with a list of stages that must each take every message."`

	Order    feed.Order       `yaml:"order" doc:"wire sends in source order and pipelines; key is strict for each key; none keeps no order when a message fails."`
	OrderKey string           `yaml:"orderKey" doc:"What order keeps together: metadata names in braces, such as {topic} or {site}/{device}."`
	Batch    feed.BatchLimits `yaml:"batch" doc:"When a batch goes to the sink."`
	Retry    feed.RetryPolicy `yaml:"retry" doc:"What happens while the sink refuses."`
	Park     feed.ParkLimits  `yaml:"park" doc:"How much of failing keys waits while other keys go on; for order key and order none."`

	AllowLoss bool `yaml:"allowLoss" doc:"Permits a sink that may lose what it has taken, such as MQTT QoS 0."`

	key, node *yaml.Node // where it stands in the file
	ok        bool       // decoded without a problem
}

// Stage is a stage that a route names, with its settings.
type Stage struct {
	Name   string
	Config feed.StageConfig

	factory feed.Factory
	path    string     // its key, such as "routes.a.sink.mqtt"
	key     *yaml.Node // where its name stands
	node    *yaml.Node // its settings
	ok      bool       // decoded and valid
}

// Sinks are the sinks of a route: one, or several that must each take every
// message.
type Sinks []Stage

// DefaultConfig returns what a file that says nothing stands for.
func DefaultConfig() Config {
	return Config{
		Name:         "feed",
		Quarantine:   defaultQuarantine(),
		Ledger:       defaultLedger(),
		Plugins:      Plugins{Limits: DefaultPluginLimits},
		Admin:        Admin{Address: "127.0.0.1:8686"},
		OTLP:         defaultOTLP(),
		Log:          Log{Format: LogText, Level: LogInfo},
		DrainTimeout: 20 * time.Second,
		Validate:     defaultValidation(),
	}
}

// defaultRoute returns what a route that says nothing stands for.
func defaultRoute() Route {
	return Route{
		Order:    feed.OrderWire,
		OrderKey: "{" + feed.MetaTopic + "}",
		Batch:    feed.DefaultBatchLimits,
		Retry:    feed.DefaultRetryPolicy,
		Park:     feed.DefaultParkLimits,
	}
}
