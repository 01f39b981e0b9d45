package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/filelock"
)

// ErrInUse says that another process writes a ledger.
var ErrInUse = errors.New("another process writes this ledger")

// patience is how long a route waits for room.
const patience = time.Second

// flushAfter is how long a record waits for others.
const flushAfter = time.Second

// waiting is how many blocks wait for the writer at most.
const waiting = 16

// Ledger writes a ledger. It is a [feed.Ledger], for concurrent use.
type Ledger struct {
	log  *slog.Logger
	path string
	lock interface{ Close() error }

	appender *appender
	queue    chan block
	writer   sync.WaitGroup
	memory   sync.Pool // of blocks that are written

	mu     sync.RWMutex // held for reading while blocks are handed over
	closed bool
	routes map[*feed.Hop]*route

	// stalled: a route has waited in vain, and none does until the writer gets on.
	stalled atomic.Bool
	records atomic.Uint64
	lost    atomic.Uint64
}

// route gathers the records of one route.
type route struct {
	mu      sync.Mutex
	builder *builder
	timer   *time.Timer
	armed   bool
}

// Open opens the ledger of a directory for writing, and starts its writer. An
// error that is [ErrInUse] says that another process does. Close is to be called.
func Open(c Config) (*Ledger, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := os.MkdirAll(c.Path, 0o700); err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	lock, err := filelock.Take(filepath.Join(c.Path, lockName))
	switch {
	case errors.Is(err, filelock.ErrTaken):
		return nil, fmt.Errorf("open ledger %s: %w: give each feed a directory of its own", c.Path, ErrInUse)
	case err != nil:
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	a, err := newAppender(&c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ledger: %w", err), lock.Close())
	}
	return start(&c, a, lock), nil
}

func start(c *Config, a *appender, lock interface{ Close() error }) *Ledger {
	l := &Ledger{
		log: c.Logger, path: c.Path, lock: lock, appender: a, queue: make(chan block, waiting), routes: map[*feed.Hop]*route{},
		memory: sync.Pool{New: func() any { return make([]byte, 0, blockBytes+blockBytes/4) }},
	}
	l.writer.Go(l.write)
	return l
}

// Record implements [feed.Ledger].
func (l *Ledger) Record(hop *feed.Hop, ended []feed.Ended) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	l.records.Add(uint64(len(ended)))
	r := l.routes[hop]
	if r == nil {
		r = l.newRoute(hop)
	}
	if l.closed {
		l.lost.Add(uint64(len(ended)))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range ended {
		r.builder.add(&ended[i])
		if len(r.builder.raw) >= blockBytes {
			l.hand(r.builder)
		}
	}
	if r.builder.rows > 0 && !r.armed {
		r.armed = true
		r.timer.Reset(flushAfter)
	}
}

// newRoute is called with mu held for reading, and returns with it so.
func (l *Ledger) newRoute(hop *feed.Hop) *route {
	l.mu.RUnlock()
	defer l.mu.RLock()
	l.mu.Lock()
	defer l.mu.Unlock()
	r := &route{builder: newBuilder(hop)}
	r.timer = time.AfterFunc(flushAfter, func() {
		l.mu.RLock()
		defer l.mu.RUnlock()
		if !l.closed {
			l.flush(r)
		}
	})
	r.armed = true
	l.routes[hop] = r
	return r
}

// flush hands over what a route has gathered.
func (l *Ledger) flush(r *route) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.armed = false
	if r.builder.rows > 0 {
		l.hand(r.builder)
	}
}

// hand hands a block to the writer, or loses it when there is no room.
func (l *Ledger) hand(b *builder) {
	made := b.cut(l.memory.Get().([]byte))
	select {
	case l.queue <- made:
		return
	default:
	}
	if !l.stalled.Load() {
		room := time.NewTimer(patience)
		defer room.Stop()
		select {
		case l.queue <- made:
			return
		case <-room.C:
			if !l.stalled.Swap(true) {
				l.log.Error("the ledger does not keep up: records are lost until it does, and messages go on", "path", l.path)
			}
		}
	}
	l.lost.Add(uint64(made.rows))
	l.memory.Put(made.raw) //nolint:staticcheck // a slice's header is small beside its memory
}

// write writes blocks until the queue is closed.
func (l *Ledger) write() {
	failing := false
	for b := range l.queue {
		err := l.appender.append(&b)
		l.stalled.Store(false)
		switch {
		case err != nil:
			l.lost.Add(uint64(b.rows))
			if !failing {
				l.log.Error("the ledger cannot be written: records are lost until it can, and messages go on", "path", l.path, "error", err)
			}
		case failing:
			l.log.Warn("the ledger is written again", "path", l.path, "lostSinceStart", l.lost.Load())
		}
		failing = err != nil
		l.memory.Put(b.raw) //nolint:staticcheck // a slice's header is small beside its memory
	}
}

// Close writes what was recorded and waits for the disk. What is recorded later
// is lost. Idempotent.
func (l *Ledger) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	for _, r := range l.routes {
		r.timer.Stop()
		l.flush(r)
	}
	l.mu.Unlock()
	close(l.queue)
	l.writer.Wait()
	if err := errors.Join(l.appender.close(), l.lock.Close()); err != nil {
		return fmt.Errorf("close ledger %s: %w", l.path, err)
	}
	return nil
}

// Figures are what a ledger tells of itself.
type Figures struct {
	Records  uint64 // since it was opened, the lost ones too
	Lost     uint64 // of them: the disk was full or failed, or the writer did not keep up
	Bytes    int64  // of all segments
	Segments int64
}

// Figures returns a snapshot. Safe for concurrent use.
func (l *Ledger) Figures() Figures {
	return Figures{Records: l.records.Load(), Lost: l.lost.Load(), Bytes: l.appender.held.Load(), Segments: l.appender.segments.Load()}
}
