package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(2)
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "feed-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	shown := &progress{out: os.Stderr, terminal: term.IsTerminal(int(os.Stderr.Fd()))}
	defer shown.clear()
	begin := time.Now()
	s, err := newStand(ctx, root, dir, shown)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if o.profile {
		return profileAll(ctx, s, o, os.Stdout)
	}

	r, err := measureReport(ctx, s, o, begin)
	if err != nil {
		return err
	}
	shown.clear()
	fmt.Print(r.text())
	if o.docs != "" {
		if err := r.write(filepath.Join(root, o.docs)); err != nil {
			return err
		}
	}
	if o.withoutGoals {
		return nil
	}
	return missed(r.checks())
}

// outcome is a report of either kind.
type outcome interface {
	text() string
	write(dir string) error
	checks() []check
}

// measureReport measures what the options say.
func measureReport(ctx context.Context, s *stand, o options, begin time.Time) (outcome, error) {
	if o.flat {
		results, err := measureSweeps(ctx, s, o, os.Stdout)
		return flatReport{options: o, results: results, machine: describe(ctx, s), took: time.Since(begin)}, err
	}
	r := report{options: o}
	var err error
	if o.startup {
		if r.startup, err = measureStartup(ctx, s, o.starts, os.Stdout); err != nil {
			return nil, err
		}
	}
	r.results, err = measureAll(ctx, s, o, os.Stdout)
	r.machine, r.took = describe(ctx, s), time.Since(begin)
	return r, err
}
