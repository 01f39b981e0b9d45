package share

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// startTimeout bounds how long a host may take to listen, which includes the wait for an ending one.
const startTimeout = 60 * time.Second

// A Lease keeps a shared server alive until it is closed, or until this process ends.
type Lease struct {
	Grant
	conn net.Conn
}

// Close gives the lease back. It may be called more than once.
func (l *Lease) Close() error {
	if err := l.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// Acquire returns a lease on a server, which it has started when it does not run yet. root is the directory of go.mod.
// program is the path of the testservers program; when it is empty, the program is built.
func Acquire(ctx context.Context, root, program, server string) (*Lease, error) {
	lease, err := acquire(ctx, root, program, server)
	if err != nil {
		return nil, fmt.Errorf("acquire %s: %w", server, err)
	}
	return lease, nil
}

func acquire(ctx context.Context, root, program, server string) (*Lease, error) {
	place, err := placeOf(root)
	if err != nil {
		return nil, err
	}
	for {
		conn, err := connect(ctx, place, root, program)
		if err != nil {
			return nil, err
		}
		lease, err := ask(ctx, conn, server)
		if errors.Is(err, errHostEnding) && ctx.Err() == nil {
			continue
		}
		return lease, err
	}
}

// errHostEnding says that the host closed the connection without an answer: it was about to end.
var errHostEnding = errors.New("the host of the shared servers ended")

// ask sends the request and waits for the reply.
func ask(ctx context.Context, conn net.Conn, server string) (*Lease, error) {
	// The connection has no other way to be interrupted.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	var answer reply
	err := json.NewEncoder(conn).Encode(request{Server: server})
	if err == nil {
		err = json.NewDecoder(conn).Decode(&answer)
	}
	switch {
	case !stop():
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("%w: %w", errHostEnding, err)
	case answer.Error != "":
		err = errors.New(answer.Error)
	default:
		return &Lease{Grant: answer.Grant, conn: conn}, nil
	}
	return nil, errors.Join(err, conn.Close())
}

// connect connects to the host, and starts one when there is none.
func connect(ctx context.Context, place place, root, program string) (net.Conn, error) {
	if conn, err := net.Dial("unix", place.socket()); err == nil {
		return conn, nil
	}
	starting, err := place.lockStart()
	if err != nil {
		return nil, err
	}
	defer starting.Close()
	if conn, err := net.Dial("unix", place.socket()); err == nil {
		return conn, nil // another process started it while we waited
	}
	if program == "" {
		if program, err = build(ctx, place, root); err != nil {
			return nil, err
		}
	}
	return launch(ctx, place, root, program)
}

// build compiles the host's program. It takes less than a second when the compiler's cache is warm.
func build(ctx context.Context, place place, root string) (string, error) {
	program := place.program()
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "./internal/testenv/testservers")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build host: %w: %s", err, out)
	}
	return program, nil
}

// launch starts a host that is independent of this process, and connects to it.
func launch(ctx context.Context, place place, root, program string) (net.Conn, error) {
	log, err := os.OpenFile(place.log(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// "go test" waits for everyone who holds its output, so that the host must not inherit it.
	cmd := exec.Command(program, "host", root)
	cmd.Dir = filepath.Dir(program)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start host: %w", err)
	}
	// It outlives this process, so that nobody can wait for it: a goroutine that did would be a leak.
	pid := cmd.Process.Pid
	if err := cmd.Process.Release(); err != nil {
		return nil, fmt.Errorf("start host: %w", err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	for {
		conn, err := net.Dial("unix", place.socket())
		if err == nil {
			return conn, nil
		}
		var status syscall.WaitStatus
		if reaped, failed := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); failed == nil && reaped == pid {
			text, failed := os.ReadFile(place.log())
			return nil, errors.Join(fmt.Errorf("start host: it ended with status %d: %s", status.ExitStatus(), text), failed)
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			return nil, fmt.Errorf("start host: not ready after %v: %w", startTimeout, err)
		case <-ctx.Done():
			return nil, fmt.Errorf("start host: %w", context.Cause(ctx))
		}
	}
}
