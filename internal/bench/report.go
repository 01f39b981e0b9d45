package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"
)

// report is everything that was measured, and where.
type report struct {
	machine  machine
	messages int
	limit    float64
	results  []result
	took     time.Duration
}

// row is a line of a table: a metric with both sides and their ratio.
type row struct {
	metric           metric
	feed, loop, each summary // each: the ratios pair by pair
}

func (r result) rows() []row {
	var rows []row
	for _, m := range metrics() {
		rows = append(rows, row{m, summarize(r.feeds(m)), summarize(r.loops(m)), summarize(r.ratios(m))})
	}
	return rows
}

// spread writes a median with the lowest and the highest value.
func spread(s summary, format string) string {
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.median, s.min, s.max)
}

// text is the report for a terminal.
func (r report) text() string {
	var b strings.Builder
	for _, result := range r.results {
		fmt.Fprintf(&b, "\n%s: medians of %d pairs (lowest–highest)\n", result.path.title, len(result.pairs))
		table := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
		fmt.Fprintln(table, "\tfeed\tplain loop\tfeed ÷ loop")
		for _, row := range result.rows() {
			fmt.Fprintf(table, "%s, %s\t%s\t%s\t%s\n", row.metric.name, row.metric.unit,
				spread(row.feed, row.metric.format), spread(row.loop, row.metric.format), spread(row.each, "%.2f"))
		}
		_ = table.Flush() // a Builder takes everything
	}
	return b.String()
}

// verdict returns an error when the feed takes more CPU time than the limit
// allows.
func (r report) verdict() error {
	var over []string
	for _, result := range r.results {
		if ratio := summarize(result.ratios(cpuMetric)).median; !(ratio <= r.limit) {
			over = append(over, fmt.Sprintf("%s %.2f", result.path.name, ratio))
		}
	}
	if len(over) > 0 {
		return fmt.Errorf("the feed takes more CPU time than %.2f of the plain loop's: %s", r.limit, strings.Join(over, ", "))
	}
	return nil
}

// write writes performance.md and its chart into a folder.
func (r report) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "performance.svg"), []byte(chart(r.results)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "performance.md"), []byte(r.markdown()), 0o644)
}
