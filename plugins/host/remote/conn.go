package remote

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Conn is a supervised connection to the process of a plugin. It is safe for
// concurrent use.
type Conn interface {
	// Client returns the client of the process that runs, and its generation, a
	// number that grows with every start. It blocks until there is one; the error
	// says that ctx has ended first or that the budget of restarts is used up.
	Client(ctx context.Context) (pluginpb.StagesClient, uint64, error)
	// Failed tells that the process of a generation did not answer in time, or not
	// as it must: if it still is the one, it is killed and another one started.
	// The reason is for people. It does not block.
	Failed(gen uint64, reason string)
	// Ended waits for the end of the process of a generation, of which Failed was
	// told, and says how it has ended, for people. It returns "" when that is not
	// known or ctx ends first.
	Ended(ctx context.Context, gen uint64) string
}

// Limits bound what a plugin may take.
type Limits struct {
	// Timeout is how long an answer may take.
	Timeout time.Duration
	// MessageBytes is the longest answer, in bytes, at most the protocol's 64 MiB;
	// 0 stands for that.
	MessageBytes int
}

// Plugin makes stages of a plugin. It is safe for concurrent use; each stage that
// it makes is as safe as package feed asks.
type Plugin struct {
	name   string
	conn   Conn
	limits Limits

	// Each call holds it for reading, one with a suspect for writing, so that a
	// death can only be that suspect's doing.
	calls sync.RWMutex
	dead  atomic.Uint64 // the latest generation whose process has failed
}

// New returns a plugin that is reached over conn. Name is for people.
func New(name string, conn Conn, limits Limits) *Plugin {
	return &Plugin{name: name, conn: conn, limits: limits}
}

// failed tells the supervisor that the process of a generation has failed.
func (p *Plugin) failed(gen uint64, reason string) {
	p.conn.Failed(gen, reason)
	for {
		dead := p.dead.Load()
		if gen <= dead || p.dead.CompareAndSwap(dead, gen) {
			return
		}
	}
}

// enter begins a call, alone when it is one with a suspect, and returns what ends it.
func (p *Plugin) enter(suspect bool) (leave func()) {
	if suspect {
		p.calls.Lock()
		return p.calls.Unlock
	}
	p.calls.RLock()
	return p.calls.RUnlock
}
