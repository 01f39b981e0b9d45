package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopGrace is how long a server has to end by itself after SIGTERM, before it is killed.
const stopGrace = 15 * time.Second

// process is a program that can be started again after it ended. Its methods may be called concurrently.
type process struct {
	name       string // what errors call it
	path       string
	args       []string
	env        []string // the whole environment
	dir        string   // working directory
	log        string   // file that takes stdout and stderr, appended to
	credential *syscall.Credential

	mu   sync.Mutex
	pid  int           // 0 unless running
	done chan struct{} // closed when the process that was started last has been reaped; nil before the first start
}

// start starts the program. It is an error if it runs already.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		return fmt.Errorf("start %s: it runs already", p.name)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	defer log.Close()

	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir = p.env, p.dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = childAttributes(p.credential)

	started := make(chan error)
	done := make(chan struct{})
	go func() {
		// The kernel signals a child when the thread that made it ends, so that this thread must live as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		// How it ended is of no interest: whoever waits for it looks at the log.
		_ = cmd.Wait()
		p.mu.Lock()
		p.pid = 0
		p.mu.Unlock()
		close(done)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.pid, p.done = cmd.Process.Pid, done
	return nil
}

// running reports whether the process was started and has not ended.
func (p *process) running() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid != 0
}

// ended is closed when the process is no more. It is nil, which blocks for ever, before the first start.
func (p *process) ended() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.done
}

// signal sends a signal to the process and to the children in its process group. It does nothing when it has ended.
func (p *process) signal(signals ...syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return nil
	}
	for _, s := range signals {
		if err := syscall.Kill(-p.pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("send %v to %s: %w", s, p.name, err)
		}
	}
	return nil
}

// stop asks the process to end, and kills it when it has not within stopGrace. It returns when it has ended.
func (p *process) stop() error {
	// A paused process would see SIGTERM only once it is resumed.
	if err := p.signal(syscall.SIGTERM, syscall.SIGCONT); err != nil {
		return err
	}
	if p.endsWithin(stopGrace) {
		return nil
	}
	return p.kill()
}

// kill ends the process with SIGKILL, and returns when it has ended.
func (p *process) kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	if !p.endsWithin(stopGrace) {
		return fmt.Errorf("kill %s: it still runs %v after SIGKILL", p.name, stopGrace)
	}
	return nil
}

func (p *process) endsWithin(d time.Duration) bool {
	done := p.ended()
	if done == nil {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

func (p *process) pause() error  { return p.signal(syscall.SIGSTOP) }
func (p *process) resume() error { return p.signal(syscall.SIGCONT) }

// waitReady calls probe until it succeeds. It fails when ctx ends or the process does, with the end of its log.
func (p *process) waitReady(ctx context.Context, every time.Duration, probe func(context.Context) error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	done := p.ended()
	for {
		err := probe(ctx)
		select {
		case <-done:
			return &startError{name: p.name, log: tail(p.log)}
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("start %s: %w: not ready: %w\n%s", p.name, context.Cause(ctx), err, tail(p.log))
		case <-done:
		case <-tick.C:
		}
	}
}

// startError says that a server ended instead of becoming ready.
type startError struct {
	name string
	log  string
}

func (e *startError) Error() string {
	return fmt.Sprintf("start %s: it ended before it was ready; its log ends with:\n%s", e.name, e.log)
}

// IsPortTaken reports whether a server could not start because another program took one of its ports. Another server,
// on other ports, may be tried then.
func IsPortTaken(err error) bool {
	var failed *startError
	if !errors.As(err, &failed) {
		return false
	}
	log := strings.ToLower(failed.log)
	return strings.Contains(log, "eaddrinuse") || strings.Contains(log, "address already in use")
}

// tail returns the last few thousand bytes of a file, for an error message.
func tail(path string) string {
	const most = 4000
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return strings.TrimSpace(string(data))
}
