package host

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// lookAtEnd is how long after its connection a process may end, so that its own end
// is told and not that it does not answer.
const lookAtEnd = 100 * time.Millisecond

// lookInterval is how often the memory of a process is looked at.
const lookInterval = time.Second

// keptEnds is of how many processes it is known how they ended.
const keptEnds = 32

// supervisor keeps a plugin running. It is the connection of the stages that run in
// it.
type supervisor struct {
	program program
	launch  func(context.Context) (*instance, error)

	mu       sync.Mutex
	changed  chan struct{} // closed when one of these changes, and replaced
	current  *instance     // nil: none runs
	gen      uint64        // of the current or the last one
	giveUp   error         // why none runs and none is about to
	condemn  chan cause    // of the current one
	restarts map[string]uint64
	last     cause
	ends     map[uint64]string // how the processes of the latest generations have ended
	was      State             // the state since then
	since    time.Time
	budget   budget
	stubborn bool // it did not end when it was asked to

	forgiven chan struct{} // one at a time
	stop     context.CancelFunc
	done     chan struct{}

	// Of run alone.
	attempts int       // to start it since it has run the last time
	ended    time.Time // when it has; zero when it has never run
}

// newSupervisor starts to supervise a program.
func newSupervisor(ctx context.Context, p program, dir string) *supervisor {
	s := &supervisor{
		program: p, launch: func(ctx context.Context) (*instance, error) { return launch(ctx, p, dir) },
		changed: make(chan struct{}), restarts: map[string]uint64{}, ends: map[uint64]string{}, was: StateStarting, since: time.Now(),
		budget:   budget{restarts: p.limits.restarts, within: p.limits.within},
		forgiven: make(chan struct{}, 1), done: make(chan struct{}),
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go s.run(ctx)
	return s
}

// errClosed is what a connection of a host that was closed returns.
var errClosed = errors.New("the host of the plugin was closed")

// Client implements remote.Conn.
func (s *supervisor) Client(ctx context.Context) (pluginpb.StagesClient, uint64, error) {
	for {
		s.mu.Lock()
		current, gen, giveUp, changed := s.current, s.gen, s.giveUp, s.changed
		s.mu.Unlock()
		if current != nil {
			return current.stages, gen, nil
		}
		if giveUp != nil {
			return nil, gen, fmt.Errorf("plugin %s: %w", s.program.name, giveUp)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, gen, fmt.Errorf("plugin %s does not run yet, it is being started: %w", s.program.name, context.Cause(ctx))
		}
	}
}

// Failed implements remote.Conn.
func (s *supervisor) Failed(gen uint64, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil || s.gen != gen {
		return
	}
	s.current = nil // nobody is to get it any more
	s.condemn <- cause{reasonAnswer, reason}
	s.tell()
}

// Ended implements remote.Conn.
func (s *supervisor) Ended(ctx context.Context, gen uint64) string {
	for {
		s.mu.Lock()
		how, known := s.ends[gen]
		changed, gone := s.changed, gen < s.gen || errors.Is(s.giveUp, errClosed)
		s.mu.Unlock()
		if known || gone {
			return how
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ""
		}
	}
}

// gaveUp returns why no process runs and none is about to; nil when that is not so.
func (s *supervisor) gaveUp() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.giveUp
}

// tell wakes who waits for a change. The lock is held.
func (s *supervisor) tell() {
	close(s.changed)
	s.changed = make(chan struct{})
	if now := s.state(); now != s.was {
		s.was, s.since = now, time.Now()
	}
}

// set changes the state.
func (s *supervisor) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	s.tell()
}

// forgive forgets the restarts so far. What is left alone is started at once.
func (s *supervisor) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.used = nil
	select {
	case s.forgiven <- struct{}{}:
	default: // so it is
	}
	if refused := (*refusedError)(nil); !errors.As(s.giveUp, &refused) && !errors.Is(s.giveUp, errClosed) {
		s.giveUp = nil // who asks now waits for the process
		s.tell()
	}
}

// close ends the plugin.
func (s *supervisor) close() {
	s.stop()
	<-s.done
}

// run starts the plugin again and again, until it is none or ctx ends.
func (s *supervisor) run(ctx context.Context) {
	defer close(s.done)
	defer s.set(func() {
		if s.giveUp == nil {
			s.giveUp = errClosed
		}
	})
	for {
		died, err := s.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if refused := (*refusedError)(nil); errors.As(err, &refused) {
			s.set(func() { s.giveUp = err })
			return
		}
		wait, left := s.note(died)
		over := time.NewTimer(wait)
		select {
		case <-over.C:
			if !left {
				s.use()
			}
		case <-s.forgiven:
			over.Stop()
		case <-ctx.Done():
			over.Stop()
			return
		}
		s.set(func() { s.giveUp = nil })
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// use takes a restart out of the budget.
func (s *supervisor) use() (wait time.Duration, left bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.budget.use(time.Now())
}

// note counts a death and tells of it. It returns how long to wait before the next
// start, and whether that is within the budget.
func (s *supervisor) note(died cause) (wait time.Duration, left bool) {
	var all map[string]uint64
	s.set(func() {
		select {
		case <-s.forgiven: // before this death
		default:
		}
		wait, left = s.budget.use(time.Now())
		s.restarts[died.reason]++
		s.last = died
		all = maps.Clone(s.restarts)
		if !left {
			l := s.program.limits
			s.giveUp = fmt.Errorf("it was started again %d times within %v, which is its budget, the last time because of: %s; it is tried again at %s",
				l.restarts, l.within, died.text, time.Now().Add(wait).UTC().Format(time.RFC3339))
		}
	})
	log := s.program.log.With("reason", died.reason, "cause", died.text, "restarts", all)
	if left {
		log.Warn("the plugin has ended and is started again", "after", wait)
	} else {
		log.Error("the plugin has ended too often and is left alone for a while", "after", wait)
	}
	return wait, left
}

// once starts the plugin and watches it to its end. The error says why it did not
// start.
func (s *supervisor) once(ctx context.Context) (cause, error) {
	s.attempts++
	in, err := s.launch(ctx)
	if err != nil {
		return cause{reasonStart, err.Error()}, err
	}
	s.tellOfStart(in.proc.number())
	condemned := make(chan cause, 1) // Failed writes to it once
	s.set(func() {
		s.current, s.condemn = in, condemned
		s.gen++
	})
	ended := s.watch(ctx, in, condemned)
	s.ended = time.Now()
	s.set(func() { s.current = nil })
	if ended == nil { // ctx has
		if obeyed := in.stop(); !obeyed {
			s.program.log.Warn("the plugin did not end when it was asked to, and was killed")
			s.set(func() { s.stubborn = true })
		}
		return cause{}, nil
	}
	in.kill(*ended)
	s.set(func() {
		s.ends[s.gen] = in.proc.exit.text
		delete(s.ends, s.gen-keptEnds)
	})
	return in.proc.exit, nil
}

// tellOfStart logs that a process runs.
func (s *supervisor) tellOfStart(pid int) {
	log := s.program.log.With("pid", pid, "attempt", s.attempts)
	s.attempts = 0
	if s.ended.IsZero() {
		log.Info("the plugin runs")
	} else {
		log.Info("the plugin runs again", "away", time.Since(s.ended).Round(time.Millisecond))
	}
}

// watch returns why the instance has ended or must; nil when ctx has.
func (s *supervisor) watch(ctx context.Context, in *instance, condemned <-chan cause) *cause {
	beating, stop := context.WithCancel(ctx)
	beat := make(chan error, 1)
	var beats sync.WaitGroup
	beats.Go(func() { s.beat(beating, in, beat) })
	defer beats.Wait()
	defer stop()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-in.proc.ended:
			return &cause{}
		case c := <-condemned:
			if in.proc.endsWithin(lookAtEnd) { // it is its end that the stages have seen
				return &cause{}
			}
			return &c
		case err := <-beat:
			return &cause{reasonHang, fmt.Sprintf("no heartbeat within %v: %v", s.program.limits.heartbeat, err)}
		case <-look.C:
			if held, most := in.proc.resident(), s.program.limits.memory; held > most {
				return &cause{reasonMemory, fmt.Sprintf("it holds %d MiB of memory, and may hold %d", held>>20, most>>20)}
			}
		}
	}
}

// beat asks the plugin again and again whether it is there, and tells when it does
// not answer.
func (s *supervisor) beat(ctx context.Context, in *instance, failed chan<- error) {
	every := s.program.limits.heartbeat
	for sleep(ctx, every) {
		call, cancel := context.WithTimeout(ctx, every)
		_, err := in.stages.Heartbeat(call, &pluginpb.HeartbeatRequest{})
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case status.Code(err) == codes.Unavailable && in.proc.endsWithin(lookAtEnd):
			return // its end is told by itself
		case err != nil:
			failed <- err
			return
		}
	}
}
