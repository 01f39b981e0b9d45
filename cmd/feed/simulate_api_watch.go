package main

import (
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
)

// watchAPI begins to show on a terminal what an API does, until stop. Elsewhere it
// shows nothing.
func (c *cli) watchAPI(s *cloudapi.Server) *liveLine {
	before, at := s.Stats(), time.Now()
	return c.showLive(500*time.Millisecond, 0, func() string {
		stats, now := s.Stats(), time.Now()
		line := apiLine(before, stats, now.Sub(at))
		before, at = stats, now
		return line
	})
}

// apiLine says what has happened between two looks at an API.
func apiLine(before, now cloudapi.Stats, passed time.Duration) string {
	rate := func(n int64) float64 { return float64(n) / max(passed, time.Millisecond).Seconds() }
	return fmt.Sprintf("%d readings held, %.0f readings/s, %.0f requests/s", now.Readings, rate(now.Readings-before.Readings), rate(now.Requests-before.Requests))
}
