package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
)

func (c *cli) runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run FILE",
		Short: "Run the feed that a file describes",
		Long: `Runs the feed that FILE describes, until SIGTERM or SIGINT, or until every
source has ended. The first signal drains: the feed stops consuming, finishes
what is in flight within drainTimeout, and settles it. A second signal stops it
at once. Either way nothing is lost: what is not settled comes again.`,
		Args: arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withPluginsOf(cmd.Context(), args[0], host.Start, c.loggerOf(args[0]), func(c *cli) error { return c.runFile(cmd.Context(), args[0]) })
		},
	}
}

// loggerOf returns the logger that a file asks for, before it is known whether the
// rest of it is good.
func (c *cli) loggerOf(file string) *slog.Logger {
	settings, err := config.LoadSettings(file)
	if err != nil {
		return quiet() // what is wrong is about to be told
	}
	return newLogger(settings.Log, c.stderr)
}

// runFile runs the feed that a file describes.
func (c *cli) runFile(ctx context.Context, file string) error {
	registry := c.registry
	if c.plugins != nil {
		registry = registry.Otherwise(c.plugins.Otherwise) // routes of a plugin that is left out wait, the others are not to suffer
	}
	cfg, err := config.Load(file, registry)
	if err != nil {
		return err
	}
	if len(cfg.Routes) == 0 {
		return fmt.Errorf("%s has no route, so that there is nothing to run: feed validate %s compares what it names", file, file)
	}
	return c.runFeed(ctx, cfg)
}

// runFeed runs a feed until ctx ends, a signal comes, or its sources have
// ended.
func (c *cli) runFeed(ctx context.Context, cfg *config.Config) error {
	logger := newLogger(cfg.Log, c.stderr)
	for _, w := range cfg.Warnings {
		logger.Warn("configuration", "at", w.String())
	}
	ctx, stop := drainOnSignal(ctx, logger)
	defer stop()
	p, closeProcess, err := initializeProcess(ctx, cfg, c.plugins, logger)
	if err != nil {
		return failed(err)
	}
	defer closeProcess()
	logger.Info("feed starts", "feed", cfg.Name, "routes", len(cfg.Routes), "version", buildVersion(), "admin", p.adminAddress())
	err = p.run(ctx)
	logEnd(logger, p.feed.Status())
	return failed(err)
}

// logEnd logs what became of the messages of each route.
func logEnd(logger *slog.Logger, s feed.Status) {
	for _, r := range s.Routes {
		a := r.Deliveries
		level, balance := slog.LevelInfo, "ok"
		if err := a.Check(); err != nil {
			level, balance = slog.LevelError, err.Error()
		}
		logger.Log(context.Background(), level, "route ended", "route", r.Name, "received", a.Received, "delivered", a.Delivered,
			"filtered", feed.Total(a.Filtered), "quarantined", feed.Total(a.Quarantined), "returned", feed.Total(a.Returned), "inFlight", a.InFlight, "balance", balance)
	}
}
