package main

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"
)

// flatReport is what was measured in all sweeps, and where.
type flatReport struct {
	options options
	machine machine
	results []sweepResult
	took    time.Duration
}

// The files of the report, in its folder.
const (
	flatPageFile  = "performance-flat.md"
	flatChartFile = "performance-flat.svg"
)

// checks are all goals.
func (r flatReport) checks() []check {
	var checks []check
	for _, result := range r.results {
		checks = append(checks, result.checks()...)
	}
	return checks
}

// text is the report for a terminal.
func (r flatReport) text() string {
	var b strings.Builder
	for _, result := range r.results {
		fmt.Fprintf(&b, "\n%s: medians of %d rounds (lowest–highest)\n", result.sweep.title, len(result.rounds))
		table(&b, func(w *tabwriter.Writer) {
			fmt.Fprintln(w, strings.Join(result.header(), "\t"))
			for i := range result.sweep.values {
				fmt.Fprintln(w, strings.Join(result.row(i), "\t"))
			}
		})
	}
	goalTable(&b, r.checks())
	return b.String()
}

// write writes the page and its chart into a folder.
func (r flatReport) write(dir string) error {
	return writePage(dir, flatPageFile, r.markdown(), []image{{flatChartFile, sweepChart(r.results)}})
}

// flatMetrics are what is shown of each value.
var flatMetrics = []metric{cpuMetric, rssMetric}

// header names the columns of a sweep's table.
func (r sweepResult) header() []string {
	cells := []string{r.sweep.unit}
	for _, m := range flatMetrics {
		cells = append(cells, m.name+", "+m.unit, "÷ "+r.sweep.values[0].label)
	}
	if r.sweep.further != nil {
		cells = append(cells, r.sweep.further.name)
	}
	return cells
}

// row is what was measured of a value.
func (r sweepResult) row(index int) []string {
	cells := []string{r.sweep.values[index].label}
	for _, m := range flatMetrics {
		ratio := "1"
		if index > 0 {
			ratio = spread(summarize(r.ratios(m, index)), "%.2f")
		}
		cells = append(cells, spread(summarize(r.values(m, index)), m.format), ratio)
	}
	if r.sweep.further != nil {
		text := "–"
		if s := summarize(r.further(index)); !math.IsNaN(s.median) {
			text = spread(s, r.sweep.further.format)
		}
		cells = append(cells, text)
	}
	return cells
}
