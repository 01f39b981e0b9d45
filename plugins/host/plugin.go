package host

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

// plugin is one of a host.
type plugin struct {
	name     string
	pinned   pinned
	env      []string
	language language
	limits   limits
	asked    chan struct{} // closed when it has answered what it has, is refused, or has failed so often that it is left alone

	mu         sync.Mutex
	begun      time.Time   // its first start
	supervisor *supervisor // nil: it was not started
	described  *description
	served     []*served // as described
	refused    error     // for good; known before the start when nothing can be started
	told       bool      // that it is left out
}

// start copies a plugin into a directory that it makes, starts it and asks it, until it has answered or is refused,
// or ctx ends.
func (p *plugin) start(ctx context.Context, dir, sockets string, log *slog.Logger) {
	asked := sync.OnceFunc(func() { close(p.asked) })
	defer asked()
	p.set(func() { p.begun = time.Now() })
	if p.refused != nil {
		return
	}
	executable := filepath.Join(dir, p.name) // which an interpreter tells in what it says
	err := os.Mkdir(dir, 0o700)
	if err == nil {
		err = p.pinned.copyTo(executable)
	}
	if err != nil {
		p.set(func() { p.refused = err })
		return
	}
	log = log.With("plugin", p.name)
	s := newSupervisor(ctx, program{
		name: p.name, executable: executable, env: p.env, language: p.language, limits: p.limits, log: log,
	}, sockets)
	p.set(func() { p.supervisor = s })
	d, err := s.describe(ctx, asked)
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		p.set(func() { p.refused = refused })
		s.close()
	}
	if err != nil {
		return
	}
	over := remote.New(p.name, s, remote.Limits{Timeout: p.limits.timeout, MessageBytes: p.limits.messageBytes})
	silent := &atomic.Bool{}
	p.set(func() {
		p.described = &d
		for _, one := range d.stages {
			p.served = append(p.served, &served{one, s, over, silent})
		}
		if p.told {
			log.Info("the plugin is there now", "title", d.title, "version", d.version)
		}
	})
}

func (p *plugin) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// stages returns the stages of a plugin that has answered.
func (p *plugin) stages() []*served {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served
}

var errNotYet = errors.New("it has not said yet what it has: it is being started")

// leftOut returns why it is not known what the plugin has; nil when it is.
func (p *plugin) leftOut() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.why()
}

// tell is leftOut for somebody who tells of it.
func (p *plugin) tell() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.why()
	p.told = err != nil
	return err
}

func (p *plugin) why() error {
	switch {
	case p.described != nil:
		return nil
	case p.refused != nil:
		return p.refused
	case p.supervisor != nil:
		if err := p.supervisor.gaveUp(); err != nil {
			return err
		}
	}
	return errNotYet
}
