package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/demo"
)

// simulationWatch tells on standard error what a simulation does: in place on a
// terminal, in a line now and then elsewhere.
type simulationWatch struct {
	stopping chan struct{}
	ended    sync.WaitGroup
}

// ratedLooks is how far a rate looks back: batches come in gusts.
const ratedLooks = 6

// showSimulating begins to show, until stop.
func (c *cli) showSimulating(s *simulating) *simulationWatch {
	w := &simulationWatch{stopping: make(chan struct{})}
	live := demo.IsTerminal(c.stderr)
	every := 10 * time.Second
	if live {
		every = 500 * time.Millisecond
	}
	w.ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		shown := false
		looks := []glance{s.look()}
		for {
			select {
			case <-tick.C:
				now := s.look()
				line := simulationLine(looks[0], now)
				shown = true
				if looks = append(looks, now); len(looks) > ratedLooks {
					looks = looks[1:]
				}
				if live {
					fmt.Fprintf(c.stderr, "\r%s\x1b[K", oneLine(line, terminalWidth(c.stderr)-1))
				} else {
					fmt.Fprintln(c.stderr, line)
				}
			case <-w.stopping:
				if live && shown {
					fmt.Fprintln(c.stderr)
				}
				return
			}
		}
	})
	return w
}

func (w *simulationWatch) stop() {
	close(w.stopping)
	w.ended.Wait()
}

// terminalWidth is at least as much as a word needs.
func terminalWidth(w any) int {
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return max(width, 20)
		}
	}
	return 80
}

// glance is a simulation at a moment.
type glance struct {
	passed time.Duration
	routes []glanceRoute
}

type glanceRoute struct {
	feed.RouteStatus
	readings, bytes uint64 // that were made
}

func (s *simulating) look() glance {
	g := glance{passed: time.Since(s.began)}
	for _, r := range s.feed.Status().Routes {
		report := s.sources[r.Name].Report()
		g.routes = append(g.routes, glanceRoute{r, report.Readings, report.Bytes})
	}
	return g
}

// simulationLine says what has happened, and how fast since before.
func simulationLine(before, now glance) string {
	parts := []string{now.passed.Round(time.Second).String()}
	seconds := max(now.passed-before.passed, time.Millisecond).Seconds()
	for i, r := range now.routes {
		rate := float64(r.readings-before.routes[i].readings) / seconds
		part := fmt.Sprintf("%s: %d readings in %d batches, %.0f readings/s, %d unconfirmed", r.Name, r.readings, r.Deliveries.Delivered, rate, r.Deliveries.InFlight)
		if r.State != feed.StateRunning {
			part += ", " + string(r.State)
			if r.Reason != "" {
				part += ": " + r.Reason
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, " | ")
}
