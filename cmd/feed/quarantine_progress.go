package main

import (
	"fmt"
	"time"
)

// startProgress begins to show how much of total count has come to, until stop.
func (c *cli) startProgress(verb string, total int64, count func() int64) *liveLine {
	return c.showLive(200*time.Millisecond, between, func() string {
		n := count()
		return fmt.Sprintf("%s %d of %d, %d%%", verb, n, total, 100*n/max(total, 1))
	})
}
