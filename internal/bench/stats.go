package main

import (
	"math"
	"slices"
)

// summary is what several measurements of one thing come to.
type summary struct {
	median, min, max float64
}

// summarize returns NaNs for no values.
func summarize(values []float64) summary {
	if len(values) == 0 {
		return summary{math.NaN(), math.NaN(), math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return summary{
		median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		min:    sorted[0],
		max:    sorted[n-1],
	}
}
