package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/internal/demo"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
)

// apiWatch shows on a terminal what an API does.
type apiWatch struct {
	stopping chan struct{}
	ended    sync.WaitGroup
}

// watchAPI begins to show, in place on standard error, until stop. Elsewhere than
// on a terminal it shows nothing.
func (c *cli) watchAPI(s *cloudapi.Server) *apiWatch {
	w := &apiWatch{stopping: make(chan struct{})}
	if !demo.IsTerminal(c.stderr) {
		return w
	}
	w.ended.Go(func() {
		const every = 500 * time.Millisecond
		tick := time.NewTicker(every)
		defer tick.Stop()
		before, at := s.Stats(), time.Now()
		for {
			select {
			case now := <-tick.C:
				stats := s.Stats()
				// What was longer before is cleared to the end of the line.
				fmt.Fprintf(c.stderr, "\r%s\x1b[K", apiLine(before, stats, now.Sub(at)))
				before, at = stats, now
			case <-w.stopping:
				fmt.Fprintln(c.stderr)
				return
			}
		}
	})
	return w
}

// apiLine says what has happened between two looks at an API.
func apiLine(before, now cloudapi.Stats, passed time.Duration) string {
	rate := func(n int64) float64 { return float64(n) / max(passed, time.Millisecond).Seconds() }
	return fmt.Sprintf("%d readings held, %.0f readings/s, %.0f requests/s", now.Readings, rate(now.Readings-before.Readings), rate(now.Requests-before.Requests))
}

func (w *apiWatch) stop() {
	close(w.stopping)
	w.ended.Wait()
}
