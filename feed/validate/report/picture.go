package report

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// The picture has at most so many lines and columns.
const (
	mostLines   = 200
	mostColumns = 200
)

// picture is what became of the readings of devices over time. A column has one
// part of the result, or several when there are more parts than columns.
type picture struct {
	from    time.Time
	parts   int // of the result
	merged  int // parts in a column
	columns int
	step    time.Duration // of a column
	lines   []line
	rates   []rate // by column
	seen    [len(validate.Verdicts)]bool
}

// line is a device. Cells are the worst verdicts by column: 0 when there are no
// readings, and 1 + its badness otherwise.
type line struct {
	device *validate.Device
	cells  []uint8
}

// rate is how many readings have times in a column.
type rate struct{ expected, observed int64 }

// newPicture lays out the parts of a result.
func newPicture(r *validate.Result) (*picture, error) {
	c := &picture{from: r.From}
	if r.Step <= 0 {
		if len(r.Throughput) > 0 || slices.ContainsFunc(r.Devices, func(d validate.Device) bool { return len(d.Parts) > 0 }) {
			return nil, fmt.Errorf("report: the picture has parts, and its step is %v: it must be more than 0", r.Step)
		}
		return c, nil
	}
	if length := r.To.Sub(r.From); length > 0 {
		c.parts = int((length-1)/r.Step) + 1
	}
	c.merged = max(1, (c.parts+mostColumns-1)/mostColumns)
	c.columns = (c.parts + c.merged - 1) / c.merged
	c.step = r.Step * time.Duration(c.merged)
	for i := range r.Devices {
		l, err := c.line(&r.Devices[i])
		if err != nil {
			return nil, err
		}
		if i < mostLines {
			c.lines = append(c.lines, l)
		}
	}
	c.rates = make([]rate, c.columns)
	for _, t := range r.Throughput {
		i := t.At.Sub(r.From) / r.Step
		if t.At.Before(r.From) || i >= time.Duration(c.parts) {
			return nil, fmt.Errorf("report: the throughput of %s is not between %s and %s", exact(t.At), exact(r.From), exact(r.To))
		}
		column := &c.rates[int(i)/c.merged]
		column.expected += t.Expected
		column.observed += t.Observed
	}
	return c, nil
}

func (c *picture) line(d *validate.Device) (line, error) {
	l := line{device: d, cells: make([]uint8, c.columns)}
	for _, part := range d.Parts {
		if part.Index < 0 || part.Index >= c.parts {
			return l, fmt.Errorf("report: device %q has part %d of %d", d.Device, part.Index, c.parts)
		}
		bad := badness(part.Verdict)
		c.seen[bad] = true
		cell := &l.cells[part.Index/c.merged]
		*cell = max(*cell, uint8(bad+1))
	}
	return l, nil
}

// height is that of a line, in pixels. The marks of the verdicts divide it.
const height = 16

// paths draws cells as horizontal strokes, a path for each verdict, a column being
// one wide. The style gives each verdict a profile of its own across the stroke, so
// that they differ without colours.
func paths(cells []uint8) markup {
	var b strings.Builder
	for bad, verdict := range validate.Verdicts {
		at, length := 0, b.Len()
		for i := 0; i < len(cells); {
			end := i
			for end < len(cells) && cells[end] == uint8(bad+1) {
				end++
			}
			if end == i {
				i++
				continue
			}
			if b.Len() == length {
				b.WriteString(`<path class="v` + lookOf(verdict).letter + `" d="M` + strconv.Itoa(i) + " " + strconv.Itoa(height/2))
			} else {
				b.WriteString("m" + strconv.Itoa(i-at) + " 0")
			}
			b.WriteString("h" + strconv.Itoa(end-i))
			at, i = end, end
		}
		if b.Len() > length {
			b.WriteString(`"/>`)
		}
	}
	return markup(b.String())
}

// picture draws the heat map.
func (p *page) picture(r *validate.Result, c *picture) {
	p.put("<section id=\"picture\">\n<h2>Devices over time</h2>\n")
	if len(c.lines) == 0 {
		p.put("<p>There were no readings.</p>\n</section>\n")
		return
	}
	p.put("<p>A column is {}, and shows the worst verdict of its readings. The worst devices come first.</p>\n", period(c.step))
	p.legend(c)
	p.put(`<div class="rows" tabindex="0" role="region" aria-label="devices over time"><table class="heat" data-from="{}" data-step="{}" data-columns="{}">
<thead><tr><th scope="col">device</th><th scope="col">worst</th><th scope="col" class="time">`,
		markup(strconv.FormatInt(c.from.UnixMilli(), 10)), markup(strconv.FormatInt(c.step.Milliseconds(), 10)), c.columns)
	p.axis(c)
	p.put("</th></tr></thead>\n<tbody>\n")
	for _, l := range c.lines {
		p.put(`<tr><th scope="row"><bdi>{}</bdi></th><td>{}</td><td><svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg></td></tr>
`, l.device.Device, worst(l.device.Counts), c.columns, height, attribute(described(l.device)), paths(l.cells))
	}
	p.put("</tbody>\n</table></div>\n")
	p.omitted(int64(len(r.Devices)-len(c.lines))+r.OmittedDevices, "device that is no worse", "devices that are no worse")
	p.put("</section>\n")
}

// worst marks the worst that was found of a device.
func worst(c validate.Counts) markup {
	for _, f := range findings(c) {
		if f.n != 0 {
			l := lookOf(f.verdict)
			return markup(`<b class="badge v` + l.letter + `">` + l.letter + `</b> ` + count(f.n))
		}
	}
	return `<b class="badge vK">✓</b>`
}

// described says in words what a line shows.
func described(d *validate.Device) string {
	if text := listed(findings(d.Counts)); text != "" {
		return "of " + count(d.Expected) + " expected " + text
	}
	return "all of " + count(d.Expected) + " expected matched"
}

// legend explains the marks that are there, the worst first.
func (p *page) legend(c *picture) {
	p.put("<ul class=\"legend\">\n")
	for i, verdict := range slices.Backward(validate.Verdicts[:]) {
		if !c.seen[i] {
			continue
		}
		l := lookOf(verdict)
		letter := markup(l.letter)
		if verdict == validate.Matched {
			letter = "✓"
		}
		p.put(`<li data-verdict="v{}"><svg viewBox="0 0 1 {}" preserveAspectRatio="none" aria-hidden="true"><path class="v{}" d="M0 {}h1"/></svg><b>{}</b> {}</li>
`, class(l.letter), height, class(l.letter), height/2, letter, l.word)
	}
	p.put("<li><svg aria-hidden=\"true\"></svg>no readings</li>\n</ul>\n")
	p.put(marks)
}

// marks are the profiles across the strokes of a line; the style has their colours.
const marks markup = `<svg class="marks" width="0" height="0" aria-hidden="true"><defs>
<linearGradient id="mA" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="16"><stop offset=".4" class="vA"/><stop offset=".4" class="gap"/><stop offset=".6" class="gap"/><stop offset=".6" class="vA"/></linearGradient>
<linearGradient id="mE" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="16"><stop offset=".5" class="vE"/><stop offset=".5" class="base"/></linearGradient>
<linearGradient id="mU" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="4" spreadMethod="repeat"><stop offset=".5" class="vU"/><stop offset=".5" class="gap"/></linearGradient>
<linearGradient id="mD" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="16"><stop offset=".5" class="base"/><stop offset=".5" class="vD"/></linearGradient>
<linearGradient id="mL" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="16"><stop offset=".75" class="base"/><stop offset=".75" class="vL"/></linearGradient>
<linearGradient id="mO" gradientUnits="userSpaceOnUse" x1="0" y1="0" x2="0" y2="16"><stop offset=".25" class="vO"/><stop offset=".25" class="base"/></linearGradient>
</defs></svg>
`
