package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything that was measured, and where.
type report struct {
	options options
	machine machine
	results []result
	startup *startup // nil: not measured
	took    time.Duration
}

// spread writes a median with the lowest and the highest value.
func spread(s summary, format string) string {
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.median, s.min, s.max)
}

// checks are all goals.
func (r report) checks() []check {
	var checks []check
	for _, result := range r.results {
		checks = append(checks, result.checks()...)
	}
	if r.startup != nil {
		checks = append(checks, r.startup.checks()...)
	}
	return checks
}

// text is the report for a terminal.
func (r report) text() string {
	var b strings.Builder
	for _, result := range r.results {
		fmt.Fprintf(&b, "\n%s: medians of %d pairs (lowest–highest)\n", result.path.title, len(result.pairs))
		table(&b, func(w *tabwriter.Writer) {
			for _, cells := range result.table() {
				fmt.Fprintln(w, strings.Join(cells, "\t"))
			}
		})
	}
	if r.startup != nil {
		fmt.Fprintf(&b, "\nBinary: %s\n", r.startup.sizes())
	}
	goalTable(&b, r.checks())
	return b.String()
}

// table writes a table for a terminal, its cells separated by tabs.
func table(b *strings.Builder, write func(*tabwriter.Writer)) {
	w := tabwriter.NewWriter(b, 0, 0, 3, ' ', 0)
	write(w)
	_ = w.Flush() // a Builder takes everything
}

// goalTable writes goals for a terminal.
func goalTable(b *strings.Builder, checks []check) {
	b.WriteString("\nGoals\n")
	table(b, func(w *tabwriter.Writer) {
		for _, c := range checks {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.of, c.what, c.measured, c.goal, c.verdict())
		}
	})
}

// The files of the report, in its folder.
const (
	pageFile         = "performance.md"
	chartFile        = "performance.svg"
	latencyChartFile = "performance-latency.svg"
)

// write writes the page and its charts into a folder. A chart of nothing is not
// left behind from an earlier report.
func (r report) write(dir string) error {
	backlog, steady, _ := r.byKind()
	return writePage(dir, pageFile, r.markdown(), []image{
		{chartFile, chart("CPU time and rate of the feed and of a plain loop", backlog, []metric{cpuMetric, rateMetric})},
		{latencyChartFile, chart("Latency of the feed and of a plain loop", steady, []metric{p50Metric, p99Metric})},
	})
}

// image is a chart; one without contents is of nothing.
type image struct{ file, svg string }

// writePage writes a page and its charts into a folder.
func writePage(dir, file, markdown string, images []image) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, c := range images {
		path := filepath.Join(dir, c.file)
		if c.svg == "" {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		if err := os.WriteFile(path, []byte(c.svg), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, file), []byte(markdown), 0o644)
}

// byKind separates the paths that empty a queue from those at a steady rate, and
// from those on which the feed is compared with itself.
func (r report) byKind() (backlog, steady, plugin []result) {
	for _, result := range r.results {
		switch {
		case result.path.steady:
			steady = append(steady, result)
		case result.path.inPlugin:
			plugin = append(plugin, result)
		default:
			backlog = append(backlog, result)
		}
	}
	return backlog, steady, plugin
}
