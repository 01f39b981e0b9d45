// Command testservers runs the servers that the test binaries of one run share.
//
//	testservers host ROOT          is started by tests; see package share
//	testservers with ROOT -- CMD…  starts all of them, keeps them for the time that CMD runs, and ends with its exit code
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/share"
)

// linger is how long servers outlive their last user: long enough to bridge the gap between two test binaries.
const linger = 20 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	code, err := run(ctx, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testservers:", err)
	}
	os.Exit(code)
}

func run(ctx context.Context, args []string) (int, error) {
	switch {
	case len(args) == 2 && args[0] == "host":
		return host(ctx, args[1])
	case len(args) >= 4 && args[0] == "with" && args[2] == "--":
		return with(ctx, args[1], args[3:])
	default:
		return 2, errors.New("usage: testservers host ROOT | testservers with ROOT -- CMD…")
	}
}

func host(ctx context.Context, root string) (int, error) {
	h, err := share.NewHost(root, linger, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err == nil {
		err = h.Run(ctx)
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// with runs a command while it holds a lease on each server. Servers start while the command begins, typically to
// compile. One that cannot start is left to the test that needs it to complain of.
func with(ctx context.Context, root string, command []string) (int, error) {
	program, err := os.Executable()
	if err != nil {
		return 1, err
	}
	holding, release := context.WithCancel(ctx)
	var leases sync.WaitGroup
	for _, name := range []string{share.RabbitMQ, share.PostgreSQL, share.Azurite} {
		leases.Go(func() {
			lease, err := share.Acquire(holding, root, program, name)
			if err != nil {
				return
			}
			<-holding.Done()
			_ = lease.Close()
		})
	}
	defer leases.Wait()
	defer release()

	// An interrupt typed at a terminal reaches the command by itself: wait for what it makes of it.
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 127, err
	}
	defer context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(syscall.SIGTERM) })()
	err = cmd.Wait()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return max(failed.ExitCode(), 1), nil
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}
