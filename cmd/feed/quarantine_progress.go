package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/internal/demo"
)

// progress tells on standard error how far long work has come: in place on a
// terminal, in a line now and then elsewhere.
type progress struct {
	stopping chan struct{}
	ended    sync.WaitGroup
}

// startProgress begins to show what count returns, until stop.
func (c *cli) startProgress(verb string, total int64, count func() int64) *progress {
	p := &progress{stopping: make(chan struct{})}
	every, begin, end := 10*time.Second, "", "\n"
	if demo.IsTerminal(c.stderr) {
		every, begin, end = 200*time.Millisecond, "\r", ""
	}
	p.ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-tick.C:
				n := count()
				fmt.Fprintf(c.stderr, "%s%s %d of %d, %d%%%s", begin, verb, n, total, 100*n/max(total, 1), end)
				shown = true
			case <-p.stopping:
				if shown && begin != "" {
					fmt.Fprintln(c.stderr)
				}
				return
			}
		}
	})
	return p
}

func (p *progress) stop() {
	close(p.stopping)
	p.ended.Wait()
}
