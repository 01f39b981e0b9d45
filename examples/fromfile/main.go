// Command fromfile runs a feed that a YAML file describes, within a program of
// one's own, and with a stage of one's own beside the project's: a transform that
// the file calls "celsius".
//
//	go run ./examples/fromfile examples/fromfile/feed.yaml
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: fromfile FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1])
	stop()
	if err != nil {
		log.Fatal(err)
	}
}

// run runs the feed until ctx ends, or until its sources have no more.
func run(ctx context.Context, file string) (err error) {
	registry, err := feed.NewRegistry(append(stages.All(), celsius)...)
	if err != nil {
		return err
	}
	cfg, err := config.Load(file, registry) // all that feed lint finds, with line and column
	if err != nil {
		return err
	}
	store, err := quarantine.Open(ctx, quarantine.Config{
		Feed: cfg.Name, Path: cfg.Quarantine.Path, Postgres: quarantine.Postgres(cfg.Quarantine.Postgres),
		MaxBytes: cfg.Quarantine.MaxBytes, MaxMessages: int64(cfg.Quarantine.MaxMessages), Retention: quarantine.Retention(cfg.Quarantine.Retention),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }() // the feed does not close it
	opts, routes, err := cfg.Build(slog.Default())
	if err != nil {
		return err
	}
	opts.Quarantine = store
	f, err := feed.New(opts, routes...)
	if err != nil {
		for _, r := range routes { // no feed has taken them
			err = errors.Join(err, r.Close())
		}
		return err
	}
	return f.Run(ctx) // meanwhile f.Status tells what becomes of the messages
}

// celsius is what the registry needs to know of a transform. A source or a sink
// has a factory of its kind, in the same way.
var celsius = feed.TransformFactory("celsius", "Converts Fahrenheit to Celsius.", func() celsiusConfig { return celsiusConfig{Field: "value"} }, newCelsius)

type celsiusConfig struct {
	Field string `yaml:"field" doc:"Member of the payload that is a temperature in Fahrenheit."`
}

// Validate reports what is wrong with the keys that a file has set.
func (c *celsiusConfig) Validate() error {
	if c.Field == "" {
		return &feed.ConfigError{Key: "field", Problem: "is empty", Remedy: "name the member of the payload"}
	}
	return nil
}

func newCelsius(c celsiusConfig, _ feed.StageEnv) (feed.Transform, error) {
	return feed.Transform{Name: "celsius", Func: func(m *message.Message) ([]*message.Message, error) {
		var reading map[string]any
		if err := json.Unmarshal(m.Payload, &reading); err != nil {
			return nil, feed.Permanent(fmt.Errorf("not a reading: %w", err)) // goes to the quarantine
		}
		value, ok := reading[c.Field].(float64)
		if !ok {
			return nil, feed.Permanent(fmt.Errorf("%s is no number", c.Field))
		}
		reading[c.Field] = (value - 32) / 1.8
		payload, err := json.Marshal(reading)
		m.Payload = payload
		return []*message.Message{m}, err
	}}, nil
}
