package main

import (
	"context"
	"fmt"
	"io"
)

// measureAll runs all pairs of all paths. It prints a line for each run.
func measureAll(ctx context.Context, s *stand, o options, out io.Writer) ([]result, error) {
	var results []result
	for _, p := range o.paths {
		r := result{path: p}
		s.progress.clear()
		fmt.Fprintf(out, "%s: %d pairs of %d messages, after one to warm up\n", p.title, o.pairs, o.messages)
		for i := range o.pairs + 1 {
			one, err := measurePair(ctx, s, p, o.messages, i)
			if err != nil {
				return nil, err
			}
			s.progress.clear()
			name := fmt.Sprintf("pair %d", i)
			if i == 0 {
				name = "warm-up"
			} else {
				r.pairs = append(r.pairs, one)
			}
			fmt.Fprintf(out, "  %-8s feed %s, plain loop %s; CPU ratio %.2f\n", name, one.feed, one.loop, cpuMetric.value(one.feed)/cpuMetric.value(one.loop))
		}
		results = append(results, r)
	}
	return results, nil
}

// measurePair measures both contenders; which one is first alternates. The
// first pair warms up, and is witnessed.
func measurePair(ctx context.Context, s *stand, p path, n, i int) (one pair, err error) {
	feed := func() error { one.feed, err = s.run(ctx, p, s.feed(p), n, i == 0); return err }
	loop := func() error { one.loop, err = s.run(ctx, p, s.loop(p), n, i == 0); return err }
	order := []func() error{feed, loop}
	if i%2 == 0 {
		order = []func() error{loop, feed}
	}
	for _, run := range order {
		if err := run(); err != nil {
			return one, err
		}
	}
	return one, nil
}
