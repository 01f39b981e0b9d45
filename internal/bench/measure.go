package main

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// measureAll runs all pairs of all paths. It prints a line for each run.
func measureAll(ctx context.Context, s *stand, o options, out io.Writer) ([]result, error) {
	var results []result
	for _, p := range o.paths {
		r, err := measurePath(ctx, s, p, o, out)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// measurePath runs all pairs of a path. Unless it has a run-in of its own, a
// first pair warms up.
func measurePath(ctx context.Context, s *stand, p path, o options, out io.Writer) (r result, err error) {
	r = result{path: p}
	s.progress.clear()
	fmt.Fprintf(out, "%s: %d pairs of %s\n", p.title, o.pairs, o.about(p))
	if err := s.queues(p).declare(); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.queues(p).remove()) }()
	first := 0
	if p.steady {
		first = 1
	}
	for i := first; i <= o.pairs; i++ {
		one, err := measurePair(ctx, s, p, o, i)
		if err != nil {
			return r, err
		}
		s.progress.clear()
		name := fmt.Sprintf("pair %d", i)
		if i == 0 {
			name = "warm-up"
		} else {
			r.pairs = append(r.pairs, one)
		}
		feed, baseline := p.sides()
		fmt.Fprintf(out, "  %-8s %s %s; %s %s; CPU ratio %.2f\n", name, feed, one.feed, baseline, one.baseline, one.ratio(cpuMetric))
	}
	return r, nil
}

// measurePair measures both contenders; which one is first alternates. Pair 0
// warms up with less, and is witnessed.
func measurePair(ctx context.Context, s *stand, p path, o options, i int) (one pair, err error) {
	l := o.on(p)
	if i == 0 {
		l = l.toWarmUp()
	}
	run := func(c competitor, into *measurement) error {
		var start measurement
		var err error
		if c.start != nil {
			start, err = c.start(ctx)
		}
		switch {
		case err != nil:
		case p.steady:
			*into, err = s.carrySteady(ctx, p, c, o.steadyLoad())
		default:
			*into, err = s.carryWaiting(ctx, p, c, l, i == 0)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w", p.name, c.name, err)
		}
		into.startCPU = start.cpu
		into.cpu -= start.cpu
		return nil
	}
	feed := func() error { return run(s.feed(p), &one.feed) }
	baseline := func() error { return run(s.baseline(p), &one.baseline) }
	order := []func() error{feed, baseline}
	if i%2 == 0 {
		order = []func() error{baseline, feed}
	}
	for _, run := range order {
		if err := run(); err != nil {
			return one, err
		}
	}
	return one, nil
}
