package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/kraft-edge/datafeed/feed/config"
)

// testTimeout bounds a test: transforms compute, and wait for nothing.
const testTimeout = 30 * time.Second

// testReport prints what tests find, and counts.
type testReport struct {
	w              io.Writer
	verbose, color bool
	ran, failed    int
}

// file runs the tests of a file whose names match, each after before.
func (r *testReport) file(ctx context.Context, file string, cfg *config.Config, only *regexp.Regexp, before func()) error {
	start := *r
	for i := range cfg.Tests {
		t := &cfg.Tests[i]
		if !only.MatchString(t.Name) {
			continue
		}
		before()
		if err := r.one(ctx, file, cfg, t); err != nil {
			return err
		}
	}
	ran, failures := r.ran-start.ran, r.failed-start.failed
	switch {
	case len(cfg.Tests) == 0:
		fmt.Fprintf(r.w, "%s: no tests\n", file)
	case failures > 0:
		fmt.Fprintf(r.w, "%s: %s\n", file, r.red(fmt.Sprintf("%d of %d failed", failures, ran)))
	default:
		fmt.Fprintf(r.w, "%s: %s, %d of %d tests\n", file, r.green("ok"), ran, len(cfg.Tests))
	}
	return nil
}

func (r *testReport) one(ctx context.Context, file string, cfg *config.Config, t *config.Test) error {
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	outcomes, err := runTest(ctx, cfg, t)
	if err != nil {
		return fmt.Errorf("%s:%d: test %q: %w", file, t.At.Line, t.Name, err)
	}
	r.ran++
	ds := compare(t.Expect, outcomes)
	if len(ds) == 0 {
		if r.verbose {
			fmt.Fprintf(r.w, "%s:%d: %s %s\n", file, t.At.Line, r.green("pass"), t.Name)
		}
		return nil
	}
	r.failed++
	fmt.Fprintf(r.w, "%s:%d: %s %s\n", file, t.At.Line, r.red("FAIL"), t.Name)
	for _, d := range ds {
		fmt.Fprintf(r.w, "  %s\n", oneLine(d.at, 1000))
		if d.want != "" {
			fmt.Fprintf(r.w, "    %s\n", r.red("- "+oneLine(d.want, 10_000)))
		}
		if d.got != "" {
			fmt.Fprintf(r.w, "    %s\n", r.green("+ "+oneLine(d.got, 10_000)))
		}
	}
	return nil
}

func (r *testReport) red(text string) string   { return r.colored("31", text) }
func (r *testReport) green(text string) string { return r.colored("32", text) }

func (r *testReport) colored(code, text string) string {
	if !r.color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
