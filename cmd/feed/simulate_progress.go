package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// ratedLooks is how far a rate looks back: batches come in gusts.
const ratedLooks = 6

// showSimulating begins to show what a simulation does, until stop.
func (c *cli) showSimulating(s *simulating) *liveLine {
	looks := []glance{s.look()}
	return c.showLive(500*time.Millisecond, between, func() string {
		before, now := looks[0], s.look()
		if looks = append(looks, now); len(looks) > ratedLooks {
			looks = looks[1:]
		}
		return simulationLine(before, now)
	})
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
