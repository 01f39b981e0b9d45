package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kraft-edge/datafeed/internal/demo"
)

// liveLine tells on standard error what long work does: in place on a terminal, in
// a line now and then elsewhere.
type liveLine struct {
	stopping chan struct{}
	ended    sync.WaitGroup
}

// between is how often lines come elsewhere than on a terminal.
const between = 10 * time.Second

// showLive begins to show what line returns, until stop: every so often on a
// terminal, and at elsewhere's pace otherwise; 0 shows nothing there. line is
// called from one goroutine.
func (c *cli) showLive(onTerminal, elsewhere time.Duration, line func() string) *liveLine {
	l := &liveLine{stopping: make(chan struct{})}
	live, every := demo.IsTerminal(c.stderr), elsewhere
	if live {
		every = onTerminal
	}
	if every == 0 {
		return l
	}
	l.ended.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		shown := false
		for {
			select {
			case <-tick.C:
				shown = true
				if live {
					// What was longer before is cleared to the end of the line.
					fmt.Fprintf(c.stderr, "\r%s\x1b[K", oneLine(line(), terminalWidth(c.stderr)-1))
				} else {
					fmt.Fprintln(c.stderr, line())
				}
			case <-l.stopping:
				if live && shown {
					fmt.Fprintln(c.stderr)
				}
				return
			}
		}
	})
	return l
}

// stop ends it, and waits for that.
func (l *liveLine) stop() {
	close(l.stopping)
	l.ended.Wait()
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
