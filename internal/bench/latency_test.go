package main

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLatenciesOf(t *testing.T) {
	var values []time.Duration
	for i := 200; i > 0; i-- {
		values = append(values, time.Duration(i)*time.Millisecond)
	}
	want := latencies{p50: 100 * time.Millisecond, p99: 198 * time.Millisecond, max: 200 * time.Millisecond}
	if got := latenciesOf(values); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := latenciesOf([]time.Duration{7}); got != (latencies{7, 7, 7}) {
		t.Errorf("of one: %v", got)
	}
}

func TestQuantileHasItsShareBelow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Map(rapid.Int64Range(0, 50), func(n int64) time.Duration { return time.Duration(n) }), 1, 300).Draw(t, "values")
		percent := rapid.IntRange(1, 100).Draw(t, "percent")
		slices.Sort(values)
		q := quantile(values, percent)
		below, upTo := 0, 0
		for _, v := range values {
			if v < q {
				below++
			}
			if v <= q {
				upTo++
			}
		}
		if 100*upTo < percent*len(values) || 100*below >= percent*len(values) {
			t.Fatalf("%d below, %d up to %v of %v", below, upTo, q, values)
		}
	})
}
