package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// readyWithin bounds how long a feed may take to reach its sources.
const readyWithin = 30 * time.Second

// running is a feed that runs, with its quarantine.
type running struct {
	feed       *feed.Feed
	quarantine quarantine.Config
	store      *quarantine.Store
	cancel     func()
	done       chan struct{}
	err        error // once done is closed
}

// build makes the feed that a file describes. The caller closes it.
func build(ctx context.Context, cfg *config.Config, log *slog.Logger) (*running, error) {
	f := &running{quarantine: quarantine.Config{
		Feed: cfg.Name, Path: cfg.Quarantine.Path, MaxBytes: cfg.Quarantine.MaxBytes, MaxMessages: int64(cfg.Quarantine.MaxMessages),
	}}
	var err error
	if f.store, err = quarantine.Open(ctx, f.quarantine); err != nil {
		return nil, err
	}
	options, routes, err := cfg.Build(log)
	if err != nil {
		return nil, errors.Join(err, f.store.Close())
	}
	options.Quarantine = f.store
	if f.feed, err = feed.New(options, routes...); err != nil {
		for _, r := range routes {
			err = errors.Join(err, r.Close())
		}
		return nil, errors.Join(err, f.store.Close())
	}
	return f, nil
}

// run runs the feed until stop, until ctx ends, or until it ends by itself.
func (f *running) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	f.cancel, f.done = cancel, make(chan struct{})
	go func() {
		defer close(f.done)
		f.err = f.feed.Run(ctx)
	}()
}

// stop drains the feed and returns what it ended with. Idempotent.
func (f *running) stop() error {
	f.cancel()
	<-f.done
	return f.err
}

// close ends the feed, if that was not done before, and closes its quarantine.
func (f *running) close() error {
	if f.done == nil { // its stages are closed by running it to its end
		over, cancel := context.WithCancel(context.Background())
		cancel()
		f.run(over)
	}
	_ = f.stop() // it has been reported, or there is a better error
	return f.store.Close()
}

// ended reports whether the feed has ended by itself.
func (f *running) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// awaitReady waits until the feed has reached its sources: by then it has
// declared its queues.
func (f *running) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(readyWithin)
	defer timeout.Stop()
	for !f.feed.Status().Ready {
		select {
		case <-tick.C:
		case <-f.done:
			return fmt.Errorf("the feed ended: %w", f.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("the feed was not ready within %v: %s", readyWithin, reasons(f.feed.Status()))
		}
	}
	return nil
}

// route returns the status of a route.
func (f *running) route(name string) feed.RouteStatus {
	for _, r := range f.feed.Status().Routes {
		if r.Name == name {
			return r
		}
	}
	return feed.RouteStatus{}
}

func reasons(status feed.Status) string {
	text := ""
	for _, r := range status.Routes {
		if !r.Ready {
			text += fmt.Sprintf("route %s is %s: %s; ", r.Name, r.State, r.Reason)
		}
	}
	return text
}

// settled returns how many messages of an account have come to their end.
func settled(a feed.Account) uint64 {
	return a.Delivered + feed.Total(a.Filtered) + feed.Total(a.Quarantined)
}
