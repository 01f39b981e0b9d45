//go:build wireinject

package main

import (
	"context"
	"log/slog"

	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
	"github.com/kraft-edge/datafeed/stages"
)

// initializeCLI makes the command line over all stages.
func initializeCLI(s streams) (*cli, error) {
	panic(wire.Build(stages.Set, newRegistry, newCLI))
}

// initializeProcess makes a feed with its quarantine, its ledger, what sends its telemetry, and its admin server.
func initializeProcess(ctx context.Context, cfg *config.Config, plugins *host.Host, logger *slog.Logger) (*process, func(), error) {
	panic(wire.Build(listenAdmin, openQuarantine, openLedger, openOTLP, newFeed, newGatherer, newProcess))
}
