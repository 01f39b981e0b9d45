package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// drainDelay is how long the output of a process that has ended may stay open,
// held by one that it started and that left its group.
const drainDelay = 500 * time.Millisecond

// refusedDelay is how long a process that is refused for its first line may take to
// end by itself.
const refusedDelay = 3 * time.Second

// process is the process of a plugin. It is a runner.Runner of go-plugin.
type process struct {
	program program
	sockets string
	cmd     *exec.Cmd
	stdout  *handshake
	stderr  *lines
	line    *io.PipeReader // the checked handshake

	ended chan struct{} // closed when it has been waited for

	mu     sync.Mutex
	pid    int // 0: it does not run, or not any more
	killed *cause
	exit   cause // valid when ended
}

// cause says why a process has ended.
type cause struct {
	reason string // for counting
	text   string // for people
}

// The reasons for which a process is counted as restarted.
const (
	reasonExit   = "exit"   // it ended by itself
	reasonSignal = "signal" // somebody else ended it
	reasonHang   = "hang"   // it did not answer the heartbeat
	reasonMemory = "memory" // it held more than its limit
	reasonAnswer = "answer" // a stage got no answer in time, or a wrong one
	reasonStart  = "start"  // it did not come as far as the handshake
)

// newProcess prepares a process. The environment is the one that go-plugin wants,
// and what is named.
func newProcess(p program, env []string, sockets string) *process {
	pr, pw := io.Pipe()
	proc := &process{program: p, sockets: sockets, line: pr, ended: make(chan struct{})}
	proc.stderr = &lines{log: p.log.With("stream", "stderr"), tell: true}
	proc.stdout = &handshake{language: p.language, sockets: sockets, to: pw, after: &lines{log: p.log.With("stream", "stdout")}}
	proc.cmd = &exec.Cmd{
		Path: p.executable, Args: []string{p.name}, Env: append(env, passedOn(p.env)...),
		Stdout: proc.stdout, Stderr: proc.stderr, WaitDelay: drainDelay, SysProcAttr: ownGroup(),
	}
	return proc
}

// passedOn returns the variables of the host that a plugin may see.
func passedOn(names []string) []string {
	var env []string
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// Start implements runner.Runner.
func (p *process) Start(context.Context) error {
	started := make(chan error)
	go p.attend(started)
	return <-started
}

// attend starts the process and waits for its end, on one thread: the kernel ends
// the process with the thread that started it, and so with the host, but must not
// do so before.
func (p *process) attend(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.start(); err != nil {
		p.stdout.end()
		close(p.ended)
		started <- err
		return
	}
	started <- nil
	pid := p.cmd.Process.Pid
	waitErr := waitForEnd(pid)
	p.mu.Lock()
	killErr := signalGroup(pid, syscall.SIGKILL) // what it has started ends, too
	p.pid = 0
	p.mu.Unlock()
	err := p.cmd.Wait()
	_ = p.stderr.Close()
	if failed := errors.Join(waitErr, killErr); failed != nil {
		p.program.log.Error("what the plugin has started may go on", "error", failed)
	}
	p.mu.Lock()
	p.exit = p.causeOf(err)
	p.mu.Unlock()
	p.stdout.end() // now who waits for the handshake may ask why
	close(p.ended)
}

func (p *process) start() error {
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("close the descriptors of the host: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return err
	}
	pid := p.cmd.Process.Pid
	if err := limit(pid, p.program.limits.memory, p.program.limits.openFiles); err != nil && !errors.Is(err, syscall.ESRCH) {
		return errors.Join(err, signalGroup(pid, syscall.SIGKILL), p.cmd.Wait())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
	if p.killed != nil { // meanwhile
		return signalGroup(pid, syscall.SIGKILL)
	}
	return nil
}

// causeOf says how the process ended. What it did itself counts more than what was
// about to be done to it.
func (p *process) causeOf(waitErr error) cause {
	state := p.cmd.ProcessState
	if state == nil {
		return cause{reasonExit, fmt.Sprint(waitErr)}
	}
	words := ""
	if w := p.stderr.lastWords(); w != "" {
		words = ": " + w
	}
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled() && status.Signal() == syscall.SIGKILL && p.killed != nil:
		return *p.killed
	case ok && status.Signaled():
		return cause{reasonSignal, state.String() + words}
	}
	return cause{reasonExit, state.String() + words}
}

// condemn kills the process and all that it has started.
func (p *process) condemn(c cause) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.killed == nil {
		p.killed = &c
	}
	if p.pid == 0 {
		return
	}
	if err := signalGroup(p.pid, syscall.SIGKILL); err != nil {
		p.program.log.Error("the plugin was not killed", "error", err)
	}
}

// terminate asks the process to end.
func (p *process) terminate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = signalGroup(p.pid, syscall.SIGTERM) // one that does not is killed
	}
}

// resident returns how many bytes the process holds; 0 when it does not run.
func (p *process) resident() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid == 0 {
		return 0
	}
	n, err := resident(p.pid)
	if err != nil { // it is about to end
		return 0
	}
	return n
}

// number returns the process's number; 0 when it does not run.
func (p *process) number() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

// Kill implements runner.Runner. A process that has not said how it is reached gets a
// moment, so that its own end is told, if there is one.
func (p *process) Kill(context.Context) error {
	if p.stdout.failed() != nil {
		p.endsWithin(refusedDelay)
	}
	p.condemn(cause{reasonExit, "it was ended"})
	return nil
}

// Wait implements runner.Runner.
func (p *process) Wait(context.Context) error {
	<-p.ended
	return nil
}

// Stdout implements runner.Runner.
func (p *process) Stdout() io.ReadCloser { return p.line }

// Stderr implements runner.Runner. What the plugin writes is logged by its lines.
func (p *process) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (p *process) Name() string { return p.program.name }

// ID implements runner.Runner.
func (p *process) ID() string { return p.program.name }

// Diagnose implements runner.Runner.
func (p *process) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner.
func (p *process) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (p *process) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// endsWithin waits for the end of the process, a while at most.
func (p *process) endsWithin(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-p.ended:
		return true
	case <-t.C:
		return false
	}
}
