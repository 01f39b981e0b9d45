package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/mqtt"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// routeReplay sends messages through routes of a configuration.
type routeReplay struct {
	config *config.Config
	file   string
	feed   string // whose messages; empty: of the feed that the configuration names
	to     string // a route for all messages; empty: each its own
}

func (r *routeReplay) place() quarantine.Place {
	p := placeOf(r.config)
	p.Feed = cmp.Or(r.feed, p.Feed)
	return p
}

func (r *routeReplay) target(route string) string { return "route " + cmp.Or(r.to, route) }

func (r *routeReplay) check(counts []quarantine.RouteCount) error {
	var errs []error
	names := routeNames(r.config)
	for _, c := range counts {
		switch i := slices.Index(names, cmp.Or(r.to, c.Route)); {
		case i >= 0 && checkpoints(r.config.Routes[i]):
			errs = append(errs, fmt.Errorf("%s of route %q cannot go through %s: its sink stores a stream exactly once, and takes nothing else: choose another route or RabbitMQ with --to",
				messages(c.Messages), oneLine(c.Route, 60), r.target(c.Route)))
		case i < 0:
			errs = append(errs, fmt.Errorf("%s came from the route %q, which %s does not have: leave them out with --route, or choose a route with --to (%s)",
				messages(c.Messages), oneLine(c.Route, 60), r.file, config.DidYouMean(c.Route, names)))
		}
	}
	return errors.Join(errs...)
}

// checkpoints reports whether a route writes a stream exactly once.
func checkpoints(r *config.Route) bool {
	return slices.ContainsFunc(r.Sink, func(s config.Stage) bool {
		c, ok := s.Config.(feed.CheckpointConfig)
		return ok && c.Checkpoints()
	})
}

// run runs a feed of the routes that are needed, with the quarantine in the
// place of their sources.
func (r *routeReplay) run(ctx context.Context, c *cli, j job) error {
	logger := newLogger(r.config.Log, c.stderr)
	ctx, stop := drainOnSignal(ctx, logger)
	defer stop()
	totals := map[string]int64{}
	for _, n := range j.counts {
		totals[cmp.Or(r.to, n.Route)] += n.Messages
	}
	r.config.Routes = slices.DeleteFunc(r.config.Routes, func(route *config.Route) bool { return totals[route.Name] == 0 })
	besideTheFeed(r.config.Routes)
	opts, routes, err := r.config.Build(logger)
	if err != nil {
		return err
	}
	refused := &refusals{}
	opts.Quarantine = refused
	opts.Logger = slog.New(quarantinedAs{opts.Logger.Handler(), "refused again"})
	sources := make([]*quarantine.Source, len(routes))
	for i := range routes {
		route := &routes[i]
		if err := route.Source.Close(); err != nil { // never connected
			logger.Debug("closing a source that was not used", "error", err)
		}
		q := j.query
		if r.to == "" {
			q.Route = route.Name
		}
		sources[i] = quarantine.NewSource(j.editor.Replay(r.target(route.Name), j.words), q, restore)
		route.Source, route.SourceName = sources[i], "quarantine"
	}
	f, err := feed.New(opts, routes...)
	if err != nil {
		for _, route := range routes {
			err = errors.Join(err, route.Close())
		}
		return err
	}
	progress := c.startProgress("replayed", j.total(), func() int64 { return replayed(f.Status()) })
	err = f.Run(ctx)
	progress.stop()
	left := false
	for i, s := range f.Status().Routes {
		left = c.reportRoute(s, totals[s.Name], sources[i]) || left
		if n, markErr := sources[i].Unmarked(); markErr != nil {
			err = errors.Join(err, fmt.Errorf("route %s: %s sent, but could not be marked, so that the next replay sends them again: %w", s.Name, were(n), markErr))
		}
	}
	refused.report(c)
	if left {
		err = errors.Join(err, errLeft)
	}
	return err
}

// besideTheFeed gives MQTT connections client identifiers of their own: with
// that of a running feed they would end its connection, and it theirs.
func besideTheFeed(routes config.Routes) {
	for _, r := range routes {
		for _, s := range r.Sink {
			if c, ok := s.Config.(*mqtt.Config); ok && c.ClientID != "" {
				c.ClientID += "-replay"
			}
		}
	}
}

func replayed(s feed.Status) (n int64) {
	for _, r := range s.Routes {
		n += done(r)
	}
	return n
}

func done(r feed.RouteStatus) int64 {
	return int64(r.Deliveries.Delivered + feed.Total(r.Deliveries.Filtered))
}

// reportRoute says what became of the messages of a route, and whether some
// are left.
func (c *cli) reportRoute(s feed.RouteStatus, total int64, source *quarantine.Source) (left bool) {
	again := int64(feed.Total(s.Deliveries.Quarantined))
	unrestored := source.Unrestored()
	unmarked, _ := source.Unmarked() // the caller returns why
	replayed := done(s) - unmarked
	fmt.Fprintf(c.stdout, "route %s: %d of %s replayed", s.Name, replayed, messages(total))
	if filtered := feed.Total(s.Deliveries.Filtered); filtered > 0 {
		fmt.Fprintf(c.stdout, ", %d of them filtered", filtered)
	}
	if unmarked > 0 {
		fmt.Fprintf(c.stdout, ", %d sent but not marked", unmarked)
	}
	if again > 0 {
		fmt.Fprintf(c.stdout, ", %d refused again", again)
	}
	if rest := total - done(s) - again - unrestored.Count; rest > 0 {
		fmt.Fprintf(c.stdout, ", %d not sent", rest)
	}
	fmt.Fprintln(c.stdout)
	c.listErrors(unrestored)
	return replayed < total
}

// listErrors prints the first errors of many.
func (c *cli) listErrors(f quarantine.Failures) {
	for _, err := range f.First {
		fmt.Fprintln(c.stdout, "  "+oneLine(err.Error(), 500))
	}
	if more := f.Count - int64(len(f.First)); more > 0 {
		fmt.Fprintf(c.stdout, "  and %d more\n", more)
	}
}

// refusals is the quarantine of a replay: what is refused again stands in the
// real one already, and stays there as it is.
type refusals struct {
	mu      sync.Mutex
	reasons map[string]int64
}

// Put counts the reasons.
func (r *refusals) Put(_ context.Context, items []feed.QuarantineItem) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reasons == nil {
		r.reasons = map[string]int64{}
	}
	for _, it := range items {
		reason := it.Reason
		if _, known := r.reasons[reason]; !known && len(r.reasons) >= 1000 {
			reason = "other reasons"
		}
		r.reasons[reason]++
	}
	return nil
}

// report prints the reasons, the most frequent first.
func (r *refusals) report(c *cli) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reasons := slices.Collect(maps.Keys(r.reasons))
	slices.SortFunc(reasons, func(a, b string) int {
		return cmp.Or(cmp.Compare(r.reasons[b], r.reasons[a]), cmp.Compare(a, b))
	})
	var again quarantine.Failures
	for _, reason := range reasons {
		again.Add(fmt.Errorf("refused again, %s: %s", messages(r.reasons[reason]), reason))
	}
	c.listErrors(again)
}
