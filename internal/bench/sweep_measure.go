package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// measureSweeps runs all sweeps, one after the other. It prints a line for each
// round.
func measureSweeps(ctx context.Context, s *stand, o options, out io.Writer) ([]sweepResult, error) {
	var results []sweepResult
	for _, sw := range sweeps(o) {
		r, err := measureSweep(ctx, s, sw, o.rounds, out)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sw.title, err)
		}
		results = append(results, r)
	}
	return results, nil
}

// measureSweep measures each value once in each round, after a run that warms
// up.
func measureSweep(ctx context.Context, s *stand, sw sweep, rounds int, out io.Writer) (r sweepResult, err error) {
	r = sweepResult{sweep: sw}
	s.progress.clear()
	fmt.Fprintf(out, "%s: %d rounds\n", sw.title, rounds)
	if _, err := s.measure(ctx, sw.warmUp(), true); err != nil {
		return r, err
	}
	for _, v := range sw.values {
		if !v.standing() {
			continue
		}
		defer func() { err = errors.Join(err, s.queues(v.path).remove()) }()
		if err := s.stockUp(ctx, v); err != nil {
			return r, err
		}
	}
	for i := range rounds {
		round := make([]measurement, len(sw.values))
		texts := make([]string, len(sw.values))
		for j, v := range sw.values {
			if round[j], err = s.measure(ctx, v, false); err != nil {
				return r, fmt.Errorf("%s %s: %w", v.label, sw.unit, err)
			}
			texts[j] = fmt.Sprintf("%s: %.2f s CPU, %.1f MiB", v.label, round[j].cpuPer100k(), round[j].rss())
		}
		r.rounds = append(r.rounds, round)
		s.progress.clear()
		fmt.Fprintf(out, "  round %d  %s\n", i+1, strings.Join(texts, "; "))
	}
	return r, nil
}

// measure has the feed carry one value of a sweep.
func (s *stand) measure(ctx context.Context, v value, witnessed bool) (m measurement, err error) {
	c := s.feed(v.path)
	if v.standing() {
		return s.carryPart(ctx, v.path, c, v.load.messages)
	}
	if err := s.queues(v.path).declare(); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, s.queues(v.path).remove()) }()
	if v.inPortions() {
		return s.carryPortions(ctx, v.path, c, v.load, v.waiting, witnessed)
	}
	return s.carryBacklog(ctx, v.path, c, v.load, witnessed)
}
