package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// drainOnSignal returns a context that ends with the first SIGTERM or SIGINT.
// The second one ends the process. stop gives the signals back and waits.
func drainOnSignal(ctx context.Context, logger *slog.Logger) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for n := 1; ; n++ {
			select {
			case s := <-signals:
				if n > 1 {
					logger.Error("stopped at once by a second signal: what is in flight comes again", "signal", s.String())
					os.Exit(exitSignal)
				}
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
