package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A contender is a program that empties queues until SIGTERM.
type contender struct {
	name string // "feed" or "plain loop"
	args []string
	env  []string // in addition to the environment
	// leastBytes is how much it writes at a time while it has something to do.
	leastBytes uint64
	// parent says that it starts processes, which count, too.
	parent bool
}

const (
	// stopPatience is how long a contender may take to end after SIGTERM.
	stopPatience = 30 * time.Second
	// lookEvery is how often a running contender is looked at. It bounds how
	// exactly the rate is known; a run takes seconds.
	lookEvery = 10 * time.Millisecond
)

// settled waits until everything is settled; pid is the process that does it.
type settled func(ctx context.Context, pid int) error

// run starts the contender, stops it when settled returns, and measures it. It
// fails when settled does, or when the contender does not live until then and
// end with exit code 0.
func (c contender) run(ctx context.Context, settled settled) (measurement, error) {
	m := measurement{}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := c.start()
	if err != nil {
		return m, err
	}
	isSettled := make(chan error, 1)
	go func() { isSettled <- settled(ctx, p.cmd.Process.Pid) }()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	watch := watch{pid: p.cmd.Process.Pid, lastWrite: p.begin, leastBytes: c.leastBytes, parent: c.parent}
	for waiting := true; waiting; {
		select {
		case now := <-look.C:
			watch.look(now)
		case err = <-isSettled:
			waiting = false
		case ended := <-p.ended:
			cancel()
			<-isSettled //nolint:errcheck // the process that ended is the error
			p.ended <- ended
			err = errors.New("it ended before everything was settled")
			waiting = false
		}
	}
	watch.look(time.Now())
	m.elapsed, m.peak = watch.lastWrite.Sub(p.begin), watch.peak
	if err = errors.Join(err, p.stop()); err != nil {
		return m, fmt.Errorf("%s: %w\n%s", c.name, err, tail(p.output.String()))
	}
	if !watch.saw() {
		return m, fmt.Errorf("%s: /proc/%d could not be read", c.name, watch.pid)
	}
	// The kernel adds the CPU time of children that the process has waited for.
	m.cpu, m.childrenPeak = p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime(), watch.children.peak()
	if c.parent {
		if err := watch.children.counted(m.cpu); err != nil {
			return m, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return m, nil
}

// running is a contender's process.
type running struct {
	cmd    *exec.Cmd
	begin  time.Time
	output bytes.Buffer // complete once it has ended
	ended  chan error
}

func (c contender) start() (*running, error) {
	p := &running{cmd: exec.Command(c.args[0], c.args[1:]...), ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), c.env...)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.WaitDelay = stopPatience // should a child of its own keep the output open
	// An interrupt at the terminal is for us alone, but no contender outlives us.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.begin = time.Now()
	started := make(chan error)
	go func() {
		// The kernel takes the end of the thread that forked for the end of the parent.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.ended <- p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.name, err)
	}
	return p, nil
}

// stop ends the process with SIGTERM and returns when it has ended.
func (p *running) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	select {
	case err := <-p.ended:
		return err
	case <-patience.C:
		err := p.cmd.Process.Kill()
		return errors.Join(fmt.Errorf("it still ran %v after SIGTERM", stopPatience), err, <-p.ended)
	}
}

// tail returns the end of a log.
func tail(s string) string {
	const most = 4000
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return strings.TrimSpace(s)
}
