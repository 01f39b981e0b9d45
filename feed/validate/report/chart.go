package report

import (
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// charts draws how many readings there were over time, and how long they took.
func (p *page) charts(r *validate.Result, c *picture) {
	p.put("<div class=\"charts\">\n")
	p.throughput(c)
	p.latency(r.Latency)
	p.put("</div>\n")
}

// throughput draws the observed readings as an area above the expected ones, so
// that what is not there shows, and those expected as a line over both.
func (p *page) throughput(c *picture) {
	p.put("<section id=\"throughput\">\n<h2>Readings over time</h2>\n")
	most, expected, observed := int64(0), int64(0), int64(0)
	for _, r := range c.rates {
		most = max(most, r.expected, r.observed)
		expected += r.expected
		observed += r.observed
	}
	if most == 0 {
		p.put("<p>There were no readings.</p>\n</section>\n")
		return
	}
	p.put(`<ul class="legend"><li><svg aria-hidden="true"><rect class="observed" width="100%" height="100%"/></svg>observed</li><li><svg aria-hidden="true"><line class="expected" y1="8" x2="100%" y2="8"/></svg>expected</li><li><svg aria-hidden="true"><rect class="lacking" width="100%" height="100%"/></svg>expected, not observed</li></ul>
<p class="scale">{} in {}</p>
<svg class="area" viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-label="{} expected, {} observed, at most {} in {}">`,
		amount(most, "reading"), period(c.step), c.columns, expected, observed, most, attribute(period(c.step)))
	p.put(`<path class="lacking" d="{}"/><path class="observed" d="{}"/><path class="expected" d="{}"/></svg>
`, stairs(c.rates, most, true, func(r rate) int64 { return r.expected }), stairs(c.rates, most, true, func(r rate) int64 { return r.observed }),
		stairs(c.rates, most, false, func(r rate) int64 { return r.expected }))
	p.axis(c)
	p.put("\n</section>\n")
}

// stairs draws a count of each column, up to most, which is 100 high; closed with
// the ground below them.
func stairs(rates []rate, most int64, closed bool, of func(rate) int64) markup {
	var b strings.Builder
	before := ""
	for i, r := range rates {
		y := decimal(100-float64(of(r))/float64(most)*100, 1)
		switch {
		case i == 0 && closed:
			b.WriteString("M0 100V" + y)
		case i == 0:
			b.WriteString("M0 " + y)
		case y != before:
			b.WriteString("H" + strconv.Itoa(i) + "V" + y)
		}
		before = y
	}
	b.WriteString("H" + strconv.Itoa(len(rates)))
	if closed {
		b.WriteString("V100z")
	}
	return markup(b.String())
}

// mostBars bounds the histogram.
const mostBars = 16

// bars returns the buckets of a histogram, neighbours put together when there are
// many.
func bars(buckets []validate.Bucket) []validate.Bucket {
	merged := (len(buckets) + mostBars - 1) / mostBars
	if merged <= 1 {
		return buckets
	}
	var all []validate.Bucket
	for i, b := range buckets {
		if i%merged == 0 {
			all = append(all, validate.Bucket{})
		}
		last := &all[len(all)-1]
		last.UpTo, last.Count = b.UpTo, last.Count+b.Count
	}
	return all
}

// latency draws how long readings took from their time to their arrival.
func (p *page) latency(l *validate.Latency) {
	p.put("<section id=\"latency\">\n<h2>From a reading’s time to its arrival</h2>\n")
	if l == nil || l.Count == 0 {
		p.put("<p>The observation does not say when readings arrived.</p>\n</section>\n")
		return
	}
	p.put("<dl class=\"facts\">\n")
	for _, f := range []struct {
		name markup
		d    time.Duration
	}{{"half within", l.P50}, {"95% within", l.P95}, {"99% within", l.P99}, {"longest", l.Max}} {
		p.put("<div><dt>{}</dt><dd>{}</dd></div>\n", f.name, period(f.d))
	}
	p.put("</dl>\n<table class=\"bars\">\n<thead class=\"away\"><tr><th scope=\"col\">up to</th><th scope=\"col\">share</th><th scope=\"col\">readings</th></tr></thead>\n<tbody>\n")
	shown := bars(l.Buckets)
	most := int64(1)
	for _, b := range shown {
		most = max(most, b.Count)
	}
	for _, b := range shown {
		p.put(`<tr><th scope="row">≤ {}</th><td><svg aria-hidden="true"><rect class="observed" width="{}%" height="100%"/></svg></td><td class="n">{}</td></tr>
`, period(b.UpTo), max(0.3, float64(b.Count)/float64(most)*100), b.Count)
	}
	p.put("</tbody>\n</table>\n</section>\n")
}
