package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// The chart's measures, in pixels.
const (
	chartWidth  = 760
	plotLeft    = 110
	plotWidth   = 600
	rowHeight   = 26
	panelHeight = 2*rowHeight + 58
)

// chart draws the CPU time and the rate of each run: a dot for each run, a bar
// at the median, zero at the left.
func chart(results []result) string {
	panels := []metric{cpuMetric, rateMetric}
	height := len(results)*len(panels)*panelHeight + 10
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="13" role="img">`+"\n",
		chartWidth, height, chartWidth, height)
	b.WriteString("<title>CPU time and rate of the feed and of a plain loop</title>\n")
	// Readable on light and dark pages alike.
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="6" fill="#ffffff"/>`+"\n", chartWidth, height)
	y := 10
	for _, r := range results {
		for _, m := range panels {
			drawPanel(&b, y, r, m)
			y += panelHeight
		}
	}
	b.WriteString("</svg>\n")
	return b.String()
}

func drawPanel(b *strings.Builder, y int, r result, m metric) {
	feeds, loops := r.feeds(m), r.loops(m)
	top := axisEnd(slices.Max(slices.Concat(feeds, loops, []float64{0})))
	x := func(value float64) float64 { return plotLeft + plotWidth*value/top }
	text := func(x float64, y int, anchor, fill, s string) {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, fill, html.EscapeString(s))
	}
	text(16, y+16, "start", "#111111", fmt.Sprintf("%s: %s, %s", r.path.title, m.name, m.unit))
	rows := y + 24
	bottom := rows + 2*rowHeight
	const ticks = 4
	for i := range ticks + 1 {
		value := top * float64(i) / ticks
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`+"\n", x(value), rows, x(value), bottom)
		text(x(value), bottom+15, "middle", "#666666", axisLabel(value))
	}
	for i, side := range []struct {
		name, color string
		values      []float64
	}{{"feed", "#0b6bcb", feeds}, {"plain loop", "#b35900", loops}} {
		middle := rows + i*rowHeight + rowHeight/2
		text(plotLeft-10, middle+4, "end", side.color, side.name)
		if len(side.values) == 0 {
			continue
		}
		median := x(summarize(side.values).median)
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s" stroke-width="2"/>`+"\n", median, middle-10, median, middle+10, side.color)
		for _, value := range side.values {
			fmt.Fprintf(b, `<circle cx="%.1f" cy="%d" r="5" fill="%s" fill-opacity="0.55"/>`+"\n", x(value), middle, side.color)
		}
	}
}

// axisEnd returns the end of an axis from 0 that holds values up to highest
// and divides into four round parts.
func axisEnd(highest float64) float64 {
	if !(highest > 0) || math.IsInf(highest, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(highest)))
	for _, end := range []float64{1, 2, 4, 6, 8} {
		if highest <= end*power {
			return end * power
		}
	}
	return 10 * power
}

func axisLabel(value float64) string {
	if value >= 1000 {
		return fmt.Sprintf("%gk", value/1000)
	}
	return fmt.Sprintf("%g", math.Round(value*1000)/1000)
}
