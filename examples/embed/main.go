// Command embed is an application of the edge that has a feed inside: a page that
// says how much was moved, and beside it a route from RabbitMQ to an MQTT broker.
// There is no YAML: the settings are the program's own, and Wire (wire.go) puts
// the stages together.
//
//	AMQP_URL=amqp://guest:guest@localhost/ MQTT_URL=mqtt://localhost go run ./examples/embed
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/bridge"
	"github.com/kraft-edge/datafeed/stages/mqtt"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// settings are the application's; where they come from is its own business.
type settings struct {
	amqp, mqtt string // addresses
	queue      string
	directory  string // of what must survive a restart
	page       string // address of the page
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, settings{amqp: os.Getenv("AMQP_URL"), mqtt: os.Getenv("MQTT_URL"), queue: "telemetry", directory: ".", page: "127.0.0.1:8080"}, nil)
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// run runs the application until ctx ends. It tells listening where its page is.
func run(ctx context.Context, s settings, listening func(net.Addr)) error {
	listener, err := net.Listen("tcp", s.page)
	if err != nil {
		return err
	}
	app, cleanup, err := initialize(ctx, s, slog.Default())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	defer cleanup()
	if listening != nil {
		listening(listener.Addr())
	}
	server := &http.Server{Handler: app, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	err = app.feed.Run(ctx) // until ctx ends; then it drains
	err = errors.Join(err, server.Close())
	if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// application is what the program is besides a feed.
type application struct{ feed *feed.Feed }

func newApplication(f *feed.Feed) *application { return &application{f} }

// ServeHTTP is the application's page.
func (a *application) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	for _, r := range a.feed.Status().Routes {
		fmt.Fprintf(w, "%s is %s: %d received, %d delivered, %d quarantined\n", r.Name, r.State, r.Deliveries.Received, r.Deliveries.Delivered, feed.Total(r.Deliveries.Quarantined))
	}
}

// What follows are the providers that wire.go lists: the settings of each stage,
// and the feed of the stages.

func environment(logger *slog.Logger) feed.StageEnv {
	return feed.StageEnv{Feed: "embedded", Route: "telemetry", Logger: logger}
}

func sourceConfig(s settings) amqp.SourceConfig {
	c := amqp.DefaultSourceConfig()
	c.URL, c.Queue = feed.NewURL(s.amqp), s.queue
	c.Declare = &amqp.Declare{Exchange: amqp.Exchange{Name: "telemetry"}, RoutingKeys: []string{"telemetry.#"}}
	return c
}

func bridgeConfig() bridge.Config {
	c := bridge.DefaultConfig()
	c.Rules = []bridge.Rule{{Match: "telemetry.{device}.{tag}", Topic: "kraft/{device}/{tag}"}}
	return c
}

func sinkConfig(s settings) mqtt.Config {
	c := mqtt.DefaultConfig()
	c.URL = feed.NewURL(s.mqtt)
	return c
}

// openQuarantine returns what closes it, too: it must outlive the feed.
func openQuarantine(ctx context.Context, s settings, logger *slog.Logger) (feed.Quarantine, func(), error) {
	c := quarantine.DefaultConfig()
	c.Feed, c.Path, c.Logger = "embedded", filepath.Join(s.directory, "quarantine.db"), logger
	store, err := quarantine.Open(ctx, c)
	if err != nil {
		return nil, nil, err
	}
	return store, func() {
		if err := store.Close(); err != nil {
			logger.Error("close the quarantine", "error", err)
		}
	}, nil
}

func newFeed(source *amqp.Source, b *bridge.Bridge, sink *mqtt.Sink, q feed.Quarantine, logger *slog.Logger) (*feed.Feed, error) {
	route := feed.Route{Name: "telemetry", Source: source, Transforms: []feed.Transform{{Name: "bridge", Func: b.Handle}}, Sink: sink}
	f, err := feed.New(feed.Options{Name: "embedded", Quarantine: q, Logger: logger}, route)
	if err != nil {
		return nil, errors.Join(err, route.Close())
	}
	return f, nil
}
