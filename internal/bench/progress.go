package main

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells people what goes on while nothing else is printed. On a
// terminal it is one line that changes; elsewhere it keeps silent.
type progress struct {
	out      io.Writer
	terminal bool

	mu   sync.Mutex
	last time.Time
}

// say shows what is being done.
func (p *progress) say(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show(what)
}

// count shows how much of something is done, not more often than people read.
func (p *progress) count(what string, done, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.last) >= 100*time.Millisecond {
		p.last = now
		p.show(fmt.Sprintf("%s %3d %%", what, 100*done/of))
	}
}

// clear removes the line, so that something lasting can be printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.show("")
}

func (p *progress) show(line string) {
	if p.terminal {
		fmt.Fprintf(p.out, "\r\x1b[K%s", line)
	}
}
