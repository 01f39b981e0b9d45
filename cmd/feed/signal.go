package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// sameSignal is how soon after the first signal another of its kind is taken for
// the same one: timeout(1) and others signal a process, and then its group.
const sameSignal = 500 * time.Millisecond

// drainOnSignal returns a context that ends with the first SIGTERM or SIGINT.
// The second one ends the process. stop gives the signals back and waits.
func drainOnSignal(ctx context.Context, logger *slog.Logger) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		var first os.Signal
		var at time.Time
		for {
			select {
			case s := <-signals:
				if s == first && time.Since(at) < sameSignal {
					continue
				}
				if first != nil {
					logger.Error("stopped at once by a second signal: what is in flight comes again", "signal", s.String())
					os.Exit(exitSignal)
				}
				first, at = s, time.Now()
				logger.Info("draining", "signal", s.String())
				cancel()
			case <-done:
				return
			}
		}
	})
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		watcher.Wait()
		cancel()
	})
}
