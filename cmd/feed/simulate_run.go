package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/demo"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/http"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// errSimulation says that not all was taken; the report has said why.
var errSimulation = errors.New("not all that was made has been taken: see above")

// simulating is a simulation that runs: a feed with a route for each place.
type simulating struct {
	options *simulation
	feed    *feed.Feed
	end     *simulate.End
	sources map[string]*simulate.Source // by route
	refused *simulationRefusals
	began   time.Time
	lasted  time.Duration
}

// simulate runs a simulation to its end, and reports.
func (c *cli) simulate(ctx context.Context, o *simulation) error {
	if err := o.settle(time.Now()); err != nil {
		return err
	}
	s, err := c.newSimulating(o)
	if err != nil {
		return err
	}
	ctx, stop, done := stopThenCancel(ctx)
	defer done()
	progress := c.showSimulating(s)
	ended := s.endWhen(stop)
	err = s.feed.Run(ctx)
	s.lasted = time.Since(s.began)
	ended()
	progress.stop()
	r := s.report()
	err = errors.Join(err, c.writeSimulation(r, o.asJSON))
	if !o.asJSON {
		s.refused.write(c.stdout)
	}
	if !r.Complete {
		err = errors.Join(err, errSimulation)
	}
	return failed(err)
}

// newSimulating makes the feed. It does no network I/O.
func (c *cli) newSimulating(o *simulation) (*simulating, error) {
	logger := slog.New(slog.DiscardHandler) // the live line says it
	if !demo.IsTerminal(c.stderr) {
		logger = slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	began := time.Now()
	s := &simulating{options: o, end: &simulate.End{Begin: began}, sources: map[string]*simulate.Source{}, refused: &simulationRefusals{logger: logger}, began: began}
	routes, err := o.routes(logger)
	for i := range routes {
		if err != nil {
			break
		}
		r, config := &routes[i], o.source
		if r.Name == apiRoute { // which is to have the truth
			config.Chaos = config.Chaos.ClocksOnly()
		}
		var source *simulate.Source
		if source, err = simulate.NewSource(config, feed.StageEnv{}); err == nil {
			source.EndWith(s.end)
			r.Source, s.sources[r.Name] = source, source
		}
	}
	if err == nil {
		s.feed, err = feed.New(feed.Options{Name: "simulation", Logger: slog.New(quarantinedAs{logger.Handler(), ""}), Quarantine: s.refused}, routes...)
	}
	if err != nil {
		for _, r := range routes {
			err = errors.Join(err, r.Sink.Close())
		}
		return nil, err
	}
	return s, nil
}

// The names of the routes.
const (
	amqpRoute = "amqp"
	apiRoute  = "api"
)

// routes makes the routes that are asked for, without their sources.
func (o *simulation) routes(logger *slog.Logger) (routes []feed.Route, err error) {
	env := func(route string) feed.StageEnv {
		return feed.StageEnv{Feed: "simulation", Route: route, Logger: logger.With("route", route)}
	}
	if o.url != "" {
		config, err := o.amqpSink()
		if err != nil {
			return nil, err
		}
		sink, err := amqp.NewSink(config, env(amqpRoute))
		if err != nil {
			return nil, fmt.Errorf("--url: %w", err)
		}
		routes = append(routes, feed.Route{Name: amqpRoute, Sink: sink, SourceName: "simulate", SinkName: "amqp"})
	}
	if o.api != "" {
		config, err := o.apiSink()
		if err != nil {
			return routes, err
		}
		sink, err := http.NewSink(config, env(apiRoute))
		if err != nil {
			return routes, fmt.Errorf("--api: %w", err)
		}
		// A batch of a route is as many requests: what was taken is to show soon.
		few := feed.BatchLimits{MaxMessages: 50}
		routes = append(routes, feed.Route{Name: apiRoute, Sink: sink, SourceName: "simulate", SinkName: "http", Batch: few})
	}
	return routes, nil
}

// endWhen ends the sources when their time is over or stop is closed, until
// ended, which waits.
func (s *simulating) endWhen(stop <-chan struct{}) (ended func()) {
	over, cancel := context.WithCancel(context.Background())
	if s.options.period > 0 {
		over, cancel = context.WithTimeout(context.Background(), s.options.period)
	}
	done, waited := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(waited)
		select {
		case <-stop:
			s.end.Now()
		case <-over.Done():
			s.end.Now()
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-waited
		cancel()
	}
}
