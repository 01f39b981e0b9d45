package main

// pair is a run of the feed and one of its baseline, one right after the other.
type pair struct {
	feed, baseline measurement
}

// result is all that was measured on a path.
type result struct {
	path  path
	pairs []pair
}

// feeds and baselines return one side of all pairs.
func (r result) feeds(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.feed) })
}

func (r result) baselines(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.baseline) })
}

// ratios returns feed/baseline pair by pair.
func (r result) ratios(m metric) []float64 {
	return r.each(func(p pair) float64 { return p.ratio(m) })
}

// differences returns feed-baseline pair by pair.
func (r result) differences(m metric) []float64 {
	return r.each(func(p pair) float64 { return p.difference(m) })
}

func (p pair) ratio(m metric) float64      { return m.value(p.feed) / m.value(p.baseline) }
func (p pair) difference(m metric) float64 { return m.value(p.feed) - m.value(p.baseline) }

func (r result) each(f func(pair) float64) []float64 {
	values := make([]float64, len(r.pairs))
	for i, p := range r.pairs {
		values[i] = f(p)
	}
	return values
}

// row is a line of a table: a metric with both sides, and their ratio and
// difference pair by pair.
type row struct {
	metric         metric
	feed, baseline summary
	ratio, added   summary
}

func (r result) rows() []row {
	var rows []row
	for _, m := range r.path.metrics() {
		rows = append(rows, row{m, summarize(r.feeds(m)), summarize(r.baselines(m)), summarize(r.ratios(m)), summarize(r.differences(m))})
	}
	return rows
}

// table is the result for people: a line with the names of the columns, and one
// for each metric.
func (r result) table() [][]string {
	feed, baseline := r.path.sides()
	table := [][]string{{"", feed, baseline, feed + " ÷ " + baseline}}
	for _, row := range r.rows() {
		table = append(table, []string{
			row.metric.name + ", " + row.metric.unit, spread(row.feed, row.metric.format), spread(row.baseline, row.metric.format), spread(row.ratio, "%.2f"),
		})
		if r.path.inPlugin {
			table[len(table)-1] = append(table[len(table)-1], spread(row.added, row.metric.format))
		}
	}
	if r.path.inPlugin {
		table[0] = append(table[0], feed+" − "+baseline)
	}
	return table
}

// checks compares the result with the goals of its path.
func (r result) checks() []check {
	var checks []check
	for _, g := range r.path.goals {
		checks = append(checks, g.check(r))
	}
	return checks
}
