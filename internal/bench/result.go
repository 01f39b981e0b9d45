package main

// pair is a run of the feed and one of the plain loop, one right after the
// other.
type pair struct {
	feed, loop measurement
}

// result is all that was measured on a path.
type result struct {
	path  path
	pairs []pair
}

// feeds and loops return one side of all pairs.
func (r result) feeds(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.feed) })
}

func (r result) loops(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.loop) })
}

// ratios returns feed/loop pair by pair.
func (r result) ratios(m metric) []float64 {
	return r.each(func(p pair) float64 { return m.value(p.feed) / m.value(p.loop) })
}

func (r result) each(f func(pair) float64) []float64 {
	values := make([]float64, len(r.pairs))
	for i, p := range r.pairs {
		values[i] = f(p)
	}
	return values
}

// row is a line of a table: a metric with both sides and their ratio.
type row struct {
	metric           metric
	feed, loop, each summary // each: the ratios pair by pair
}

func (r result) rows() []row {
	var rows []row
	for _, m := range r.path.metrics() {
		rows = append(rows, row{m, summarize(r.feeds(m)), summarize(r.loops(m)), summarize(r.ratios(m))})
	}
	return rows
}

// checks compares the result with the goals of its path.
func (r result) checks() []check {
	var checks []check
	for _, g := range r.path.goals {
		checks = append(checks, g.check(r))
	}
	return checks
}
