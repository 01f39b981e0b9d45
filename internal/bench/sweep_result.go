package main

import "fmt"

// sweepResult is all that was measured in a sweep.
type sweepResult struct {
	sweep  sweep
	rounds [][]measurement // of each round, by value
}

// values returns what a metric says of the value at an index, round by round.
func (r sweepResult) values(m metric, index int) []float64 {
	return r.each(func(round []measurement) float64 { return m.value(round[index]) })
}

// ratios returns multiples of the baseline, round by round.
func (r sweepResult) ratios(m metric, index int) []float64 {
	return r.each(func(round []measurement) float64 { return m.value(round[index]) / m.value(round[0]) })
}

// further returns the values of the sweep's further column.
func (r sweepResult) further(index int) []float64 {
	return r.each(func(round []measurement) float64 {
		return r.sweep.further.of(r.sweep.values[index], round[index], round[0])
	})
}

func (r sweepResult) each(f func(round []measurement) float64) []float64 {
	values := make([]float64, len(r.rounds))
	for i, round := range r.rounds {
		values[i] = f(round)
	}
	return values
}

// checks compares the last value with the goals.
func (r sweepResult) checks() []check {
	last := len(r.sweep.values) - 1
	var checks []check
	for _, g := range r.sweep.goals {
		what := fmt.Sprintf("%s, %s ÷ %s %s", g.metric.name, r.sweep.values[last].label, r.sweep.values[0].label, r.sweep.unit)
		checks = append(checks, g.compare(r.sweep.title, what, r.ratios(g.metric, last)))
	}
	return checks
}
