package main

import (
	"slices"
	"time"
)

// latencies is how long the messages of a run took.
type latencies struct {
	p50, p99, max time.Duration
}

// latenciesOf sorts the values. There must be one.
func latenciesOf(values []time.Duration) latencies {
	slices.Sort(values)
	return latencies{p50: quantile(values, 50), p99: quantile(values, 99), max: values[len(values)-1]}
}

// quantile returns the least of the sorted values that is not below percent of
// all (nearest rank).
func quantile(sorted []time.Duration, percent int) time.Duration {
	rank := (len(sorted)*percent + 99) / 100
	return sorted[rank-1]
}
