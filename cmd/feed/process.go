package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/ledger"
	"github.com/kraft-edge/datafeed/feed/metrics"
	"github.com/kraft-edge/datafeed/internal/admin"
	"github.com/kraft-edge/datafeed/internal/otlp"
	"github.com/kraft-edge/datafeed/plugins/host"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// process is a feed with its admin server.
type process struct {
	feed     *feed.Feed
	listener net.Listener // nil: no admin server
	options  admin.Options
	exporter *otlp.Exporter // nil: no telemetry is sent
	logger   *slog.Logger
}

// newProcess puts a process together. The listener comes first so that an
// address in use is found before any stage is made.
func newProcess(l net.Listener, f *feed.Feed, metrics prometheus.Gatherer, exporter *otlp.Exporter, plugins *host.Host, cfg *config.Config, logger *slog.Logger) *process {
	p := &process{feed: f, listener: l, logger: logger, exporter: exporter, options: admin.Options{
		Status: f.Status, Metrics: metrics, Logger: logger,
		ExposeMetrics: slices.Contains(cfg.Admin.Expose, config.ExposeMetrics),
		ExposeStatus:  slices.Contains(cfg.Admin.Expose, config.ExposeStatus),
	}}
	if plugins != nil {
		p.options.Plugins = plugins.Plugins
	}
	return p
}

// run runs the feed. The admin server answers until the feed has drained.
func (p *process) run(ctx context.Context) error {
	limitThreads(len(p.feed.Status().Routes))
	if p.exporter != nil {
		if err := p.exporter.SendMetrics(ctx, p.options.Metrics); err != nil {
			return err
		}
	}
	if p.listener == nil {
		return p.feed.Run(ctx)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var server sync.WaitGroup
	server.Go(func() {
		if err := admin.Serve(serving, p.listener, p.options); err != nil {
			p.logger.Error("the feed goes on without its admin server", "error", err)
		}
	})
	err := p.feed.Run(ctx)
	stop()
	server.Wait()
	return err
}

// adminAddress returns where the admin server listens.
func (p *process) adminAddress() string {
	if p.listener == nil {
		return "off"
	}
	return p.listener.Addr().String()
}

// listenAdmin opens the address of the admin server, if one is wanted.
func listenAdmin(ctx context.Context, cfg *config.Config) (net.Listener, func(), error) {
	if cfg.Admin.Off() {
		return nil, func() {}, nil
	}
	l, err := admin.Listen(ctx, cfg.Admin.Address)
	if err != nil {
		return nil, nil, err
	}
	return l, func() { _ = l.Close() }, nil // the server has closed it already, unless it never ran
}

// openQuarantine opens the quarantine, if there is one.
func openQuarantine(ctx context.Context, cfg *config.Config, logger *slog.Logger) (feed.Quarantine, func(), error) {
	if cfg.Quarantine.Off() {
		return nil, func() {}, nil
	}
	place := placeOf(cfg)
	q, err := quarantine.Open(ctx, quarantine.Config{
		Feed: cfg.Name, Path: place.Path, Postgres: place.Postgres,
		MaxBytes: cfg.Quarantine.MaxBytes, MaxMessages: int64(cfg.Quarantine.MaxMessages),
		Retention: quarantine.Retention(cfg.Quarantine.Retention), Logger: logger,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", keyOf(place), err)
	}
	return q, func() {
		if err := q.Close(); err != nil {
			logger.Error("the quarantine was not closed well", "error", err)
		}
	}, nil
}

// keyOf returns the key of a file that says where its quarantine is.
func keyOf(p quarantine.Place) string {
	if p.Path != "" {
		return "quarantine.path"
	}
	return "quarantine.postgres"
}

// openLedger opens the ledger; it is nil when there is none.
func openLedger(cfg *config.Config, logger *slog.Logger) (*ledger.Ledger, func(), error) {
	if cfg.Ledger.Off() {
		return nil, func() {}, nil
	}
	l, err := ledger.Open(ledger.Config{Path: cfg.Ledger.Path, MaxBytes: cfg.Ledger.MaxBytes, Logger: logger})
	if err != nil {
		return nil, nil, err
	}
	return l, func() {
		if err := l.Close(); err != nil {
			logger.Error("the ledger was not closed well", "error", err)
		}
	}, nil
}

// openOTLP opens what sends telemetry; it is nil when none is to be sent.
func openOTLP(ctx context.Context, cfg *config.Config, logger *slog.Logger) (*otlp.Exporter, func(), error) {
	if ignored := otlp.IgnoredVariables(os.Environ()); len(ignored) > 0 {
		logger.Warn("variables of the environment have no effect: the section otlp of the file says where telemetry goes", "variables", strings.Join(ignored, " "))
	}
	if cfg.OTLP.Off() {
		return nil, func() {}, nil
	}
	otlp.LogSDK(logger)
	e, err := otlp.Open(ctx, cfg.OTLP, cfg.Name, buildVersion(), logger)
	if err != nil {
		return nil, nil, err
	}
	return e, e.Close, nil
}

// newFeed makes the stages and the feed of them.
func newFeed(cfg *config.Config, q feed.Quarantine, l *ledger.Ledger, exporter *otlp.Exporter, logger *slog.Logger) (*feed.Feed, error) {
	opts, routes, err := cfg.Build(logger)
	if err != nil {
		return nil, err
	}
	opts.Quarantine = q
	if l != nil {
		opts.Ledger = l
	}
	if exporter != nil {
		opts.Tracer = exporter
	}
	f, err := feed.New(opts, routes...)
	if err != nil {
		errs := []error{err}
		for _, r := range routes {
			errs = append(errs, r.Close())
		}
		return nil, errors.Join(errs...)
	}
	return f, nil
}

// newGatherer returns what /metrics shows: the feed, its quarantine, its ledger,
// its plugins and what sends its telemetry, and the process it is.
func newGatherer(cfg *config.Config, f *feed.Feed, q feed.Quarantine, l *ledger.Ledger, exporter *otlp.Exporter, plugins *host.Host) (prometheus.Gatherer, error) {
	shown := []prometheus.Collector{
		metrics.Collector(f.Status), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	}
	if figures, ok := q.(quarantineFigures); ok {
		shown = append(shown, newQuarantineCollector(cfg.Name, figures))
	}
	if l != nil {
		shown = append(shown, newLedgerCollector(cfg.Name, l.Figures))
	}
	if exporter != nil {
		shown = append(shown, newOTLPCollector(cfg.Name, exporter.Figures))
	}
	if plugins != nil {
		shown = append(shown, newPluginCollector(cfg.Name, plugins.Plugins))
	}
	r := prometheus.NewRegistry()
	for _, c := range shown {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}
