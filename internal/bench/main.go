package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// options are the flags.
type options struct {
	messages int
	pairs    int
	limit    float64
	paths    []path
	docs     string
	profile  bool
}

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

func parse(args []string) (options, error) {
	var o options
	var names string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&o.messages, "n", 200_000, "messages of a run; the start of the process counts, so not less than 100,000 for figures to keep")
	flags.IntVar(&o.pairs, "pairs", 5, "pairs of runs of each path")
	flags.Float64Var(&o.limit, "limit", 1.05, "highest median of the feed's CPU time, as a multiple of the plain loop's, for exit code 0")
	flags.StringVar(&names, "paths", "mqtt,blob", "the paths to measure")
	flags.StringVar(&o.docs, "docs", "docs", "folder, within the repository, for performance.md and performance.svg; empty writes neither")
	flags.BoolVar(&o.profile, "profile", false, "measure nothing: print where the feed spends its CPU time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.messages < 1 || o.pairs < 1 || o.limit <= 0 {
		return o, errors.New("-n, -pairs and -limit must be positive")
	}
	for name := range strings.SplitSeq(names, ",") {
		p, ok := findPath(strings.TrimSpace(name))
		if !ok {
			return o, fmt.Errorf("there is no path %q: mqtt and blob are there", name)
		}
		o.paths = append(o.paths, p)
	}
	return o, nil
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
	s, err := newStand(ctx, root, dir, shown)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if o.profile {
		return profileAll(ctx, s, o, os.Stdout)
	}

	begin := time.Now()
	results, err := measureAll(ctx, s, o, os.Stdout)
	if err != nil {
		return err
	}
	shown.clear()
	r := report{machine: describe(ctx, s), messages: o.messages, limit: o.limit, results: results, took: time.Since(begin)}
	fmt.Print(r.text())
	if o.docs != "" {
		if err := r.write(filepath.Join(root, o.docs)); err != nil {
			return err
		}
	}
	return r.verdict()
}
