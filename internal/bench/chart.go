package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// A chart's measures, in pixels: a row for each result, a panel for each
// metric, and in it a line for the feed and one for the plain loop.
const (
	chartTop    = 68 // legend and names of the metrics
	panelLeft   = 24
	panelWidth  = 340
	panelGap    = 40
	nameWidth   = 80 // of a line, where it has one
	titleHeight = 22
	lineHeight  = 22
	axisHeight  = 32
)

// rowHeight is that of a row of panels with so many lines.
func rowHeight(lines int) int { return titleHeight + lines*lineHeight + axisHeight }

// chartStyle makes the chart follow whether people read light or dark. It
// brings its background along, so that it can be read on any page.
const chartStyle = `<style>
.back{fill:#ffffff}.text{fill:#1f2328}.quiet{fill:#59636e}.grid{stroke:#d8dee4}
.feed{fill:#0969da}.loop{fill:#bc4c00}.feed-median{stroke:#0969da}.loop-median{stroke:#bc4c00}
@media (prefers-color-scheme: dark){
.back{fill:#151b23}.text{fill:#f0f6fc}.quiet{fill:#9198a1}.grid{stroke:#3d444d}
.feed{fill:#58a6ff}.loop{fill:#f0883e}.feed-median{stroke:#58a6ff}.loop-median{stroke:#f0883e}
}
</style>
`

// chart draws the metrics of each run: a dot for each run, a bar at the median,
// zero at the left. It returns nothing for no results.
func chart(title string, results []result, metrics []metric) string {
	if len(results) == 0 {
		return ""
	}
	d := newDrawing(title, metrics, len(results)*rowHeight(2))
	d.legend(panelLeft, 24, side{name: "feed", class: "feed"}, side{name: "plain loop", class: "loop"})
	for i, r := range results {
		top := chartTop + i*rowHeight(2)
		for j, m := range metrics {
			title := ""
			if j == 0 {
				title = r.path.title
			}
			d.panel(panelX(j), top, title, m, []side{{"", "feed", r.feeds(m)}, {"", "loop", r.baselines(m)}})
		}
	}
	return d.end()
}

// panelX is the left edge of a column of panels.
func panelX(column int) int { return panelLeft + column*(panelWidth+panelGap) }

// side is a line of a panel: one of the contenders, or one value of a sweep.
type side struct {
	name, class string
	values      []float64
}

// drawing is an SVG image in the making.
type drawing struct{ strings.Builder }

// newDrawing begins a chart with a column for each metric and rows of a height
// altogether.
func newDrawing(title string, metrics []metric, rows int) *drawing {
	width := 2*panelLeft + len(metrics)*panelWidth + (len(metrics)-1)*panelGap
	height := chartTop + rows + 6
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13" role="img">`+"\n",
		width, height, width, height)
	fmt.Fprintf(d, "<title>%s</title>\n%s", html.EscapeString(title), chartStyle)
	fmt.Fprintf(d, `<rect class="back" width="%d" height="%d" rx="6"/>`+"\n", width, height)
	for j, m := range metrics {
		better := "less is better"
		if m.moreIsBetter {
			better = "more is better"
		}
		d.text(float64(panelX(j)), chartTop-16, "start", "quiet", fmt.Sprintf("%s, %s: %s", m.name, m.unit, better))
	}
	return d
}

func (d *drawing) end() string {
	d.WriteString("</svg>\n")
	return d.String()
}

func (d *drawing) text(x float64, y int, anchor, class, s string) {
	fmt.Fprintf(d, `<text class="%s" x="%.1f" y="%d" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

func (d *drawing) dot(x float64, y int, class string) {
	fmt.Fprintf(d, `<circle class="%s" cx="%.1f" cy="%d" r="4.5" fill-opacity="0.5"/>`+"\n", class, x, y)
}

func (d *drawing) line(x1 float64, y1 int, x2 float64, y2, width int, class string) {
	fmt.Fprintf(d, `<line class="%s" x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke-width="%d"/>`+"\n", class, x1, y1, x2, y2, width)
}

func (d *drawing) legend(x, y int, sides ...side) {
	for _, s := range sides {
		fmt.Fprintf(d, `<rect class="%s" x="%d" y="%d" width="12" height="12" rx="6" fill-opacity="0.7"/>`+"\n", s.class, x, y-10)
		d.text(float64(x+18), y, "start", "text", s.name)
		x += 70
	}
	if len(sides) > 0 {
		x += 50
	}
	d.text(float64(x), y, "start", "quiet", "a dot for each run, a bar at the median, its value at the right")
}

// panel draws a metric of each side. Sides that have names have them at the
// left of their lines.
func (d *drawing) panel(x, y int, title string, m metric, sides []side) {
	const valueWidth = 64 // for the median, right of the axis
	if title != "" {
		fmt.Fprintf(d, `<text class="text" x="%d" y="%d" font-weight="600">%s</text>`+"\n", x, y+12, html.EscapeString(title))
	}
	highest, left := 0.0, float64(x)
	for _, s := range sides {
		highest = slices.Max(append([]float64{highest}, s.values...))
		if s.name != "" {
			left = float64(x + nameWidth)
		}
	}
	end := axisEnd(highest)
	width := float64(x+panelWidth-valueWidth) - left
	at := func(value float64) float64 { return left + width*value/end }
	lines := y + titleHeight
	bottom := lines + len(sides)*lineHeight
	const ticks = 4
	for i := range ticks + 1 {
		value := end * float64(i) / ticks
		d.line(at(value), lines, at(value), bottom, 1, "grid")
		d.text(at(value), bottom+15, "middle", "quiet", axisLabel(value))
	}
	for i, s := range sides {
		middle := lines + i*lineHeight + lineHeight/2
		if s.name != "" {
			d.text(left-10, middle+4, "end", "text", s.name)
		}
		if len(s.values) == 0 {
			continue
		}
		median := summarize(s.values).median
		for _, value := range s.values {
			d.dot(at(value), middle, s.class)
		}
		d.line(at(median), middle-9, at(median), middle+9, 3, s.class+"-median")
		d.text(at(end)+valueWidth, middle+4, "end", s.class, fmt.Sprintf(m.format, median))
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
