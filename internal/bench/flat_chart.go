package main

// sweepChart draws the metrics of each sweep with a line for each value. It
// returns nothing for no results.
func sweepChart(results []sweepResult) string {
	if len(results) == 0 {
		return ""
	}
	rows := 0
	for _, r := range results {
		rows += rowHeight(len(r.sweep.values))
	}
	d := newDrawing("CPU time and memory of the feed as the load changes", flatMetrics, rows)
	d.legend(panelLeft, 24)
	top := chartTop
	for _, r := range results {
		for j, m := range flatMetrics {
			title := ""
			if j == 0 {
				title = r.sweep.title
			}
			sides := make([]side, len(r.sweep.values))
			for i, v := range r.sweep.values {
				sides[i] = side{name: v.label, class: "feed", values: r.values(m, i)}
			}
			d.panel(panelX(j), top, title, m, sides)
		}
		top += rowHeight(len(r.sweep.values))
	}
	return d.end()
}
