//go:build wireinject

package main

import (
	"context"
	"log/slog"

	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/bridge"
	"github.com/kraft-edge/datafeed/stages/mqtt"
)

// initialize makes the application. "go tool wire ./examples/embed" writes it into
// wire_gen.go.
func initialize(ctx context.Context, s settings, logger *slog.Logger) (*application, func(), error) {
	panic(wire.Build(environment, sourceConfig, amqp.NewSource, bridgeConfig, bridge.Set, sinkConfig, mqtt.NewSink, openQuarantine, newFeed, newApplication))
}
