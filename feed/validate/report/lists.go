package report

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// discrepancies lists readings that are not matched. Which verdicts are shown is
// chosen without a script: the style hides lines by what is checked.
func (p *page) discrepancies(r *validate.Result) {
	p.put("<section id=\"discrepancies\">\n<h2>Discrepancies</h2>\n")
	if len(r.Discrepancies) == 0 {
		p.put("<p>None are listed.</p>\n")
		p.omitted(r.OmittedDiscrepancies, "discrepancy", "discrepancies")
		p.put("</section>\n")
		return
	}
	p.choice(r.Discrepancies)
	causes := slices.ContainsFunc(r.Discrepancies, func(d validate.Discrepancy) bool { return d.Cause != "" })
	columns, cause := markup("list"), markup("")
	if causes {
		columns, cause = "list causes", `<th scope="col">cause</th>`
	}
	p.put(`<div class="tools" hidden><label>containing <input type="search" autocomplete="off" spellcheck="false"></label><button type="button">Copy what is shown</button><output></output></div>
<div class="rows" tabindex="0" role="region" aria-label="discrepancies"><table class="{}">
<thead><tr><th scope="col">verdict</th><th scope="col">device, tag</th><th scope="col">time, number</th><th scope="col">expected</th><th scope="col">observed</th>{}</tr></thead>
<tbody>
`, columns, cause)
	for i := range r.Discrepancies {
		p.discrepancy(&r.Discrepancies[i], causes)
	}
	p.put("</tbody>\n</table></div>\n")
	p.omitted(r.OmittedDiscrepancies, "discrepancy that is no worse", "discrepancies that are no worse")
	p.put("</section>\n")
}

// choice offers the verdicts that are there.
func (p *page) choice(ds []validate.Discrepancy) {
	counts := [len(validate.Verdicts)]int64{}
	for i := range ds {
		counts[badness(ds[i].Verdict)]++
	}
	p.put(`<input type="radio" class="away" name="only" id="only" autocomplete="off" checked><label for="only" class="choice">all <small>{}</small></label>
`, int64(len(ds)))
	for i, verdict := range slices.Backward(validate.Verdicts[:]) {
		if counts[i] == 0 {
			continue
		}
		l := lookOf(verdict)
		p.put(`<input type="radio" class="away" name="only" id="only{}" autocomplete="off"><label for="only{}" class="choice"><b class="badge v{}">{}</b>{} <small>{}</small></label>
`, class(l.letter), class(l.letter), class(l.letter), class(l.letter), l.word, counts[i])
	}
}

func (p *page) discrepancy(d *validate.Discrepancy, causes bool) {
	l := lookOf(d.Verdict)
	p.put(`<tr class="v{}"><td><b class="badge v{}">{}</b> {}</td><td><b><bdi>{}</bdi></b> <i><bdi>{}</bdi></i></td><td><b>{}</b> <i>#{}</i></td><td>`,
		class(l.letter), class(l.letter), class(l.letter), l.word, d.Device, d.Tag, exact(d.Time), number(d.Seq))
	p.said(d, d.Expected, d.Observed)
	p.put("</td><td>")
	p.said(d, d.Observed, d.Expected)
	if causes {
		p.put("</td><td>{}", sentence(d.Cause))
	}
	p.put("</td></tr>\n")
}

// said writes what a side says, with marks where the other one says something else.
func (p *page) said(d *validate.Discrepancy, s, other *validate.Said) {
	if s == nil {
		p.put("<em>{}</em>", nothing(d.Verdict))
		return
	}
	differs := func(field string) bool { return other != nil && slices.Contains(d.Fields, field) }
	p.put("<b><bdi>")
	switch {
	case differs("value"):
		p.marked(s.Text, other.Text)
	default:
		p.put("{}", s.Text)
	}
	p.put("</bdi></b> ")
	p.field("", s.Quality, differs("quality"))
	if differs("time") {
		p.put(`at <mark class="at">{}</mark> `, exact(s.Time))
	}
	if differs("site") {
		p.field("site ", s.Site, true)
	}
	if differs("line") {
		p.field("line ", s.Line, true)
	}
	p.put("<i><bdi>{}</bdi></i>", place(s.Place))
	if !s.Arrived.IsZero() {
		p.put("<i>arrived {}</i>", exact(s.Arrived))
	}
}

// nothing says what it means that a side says nothing.
func nothing(v validate.Verdict) markup {
	switch v {
	case validate.Duplicate: // of what both sides have
		return "nothing more"
	case validate.Undecided: // it may stand where nothing can be read
		return "not known"
	}
	return "nothing"
}

// field writes a member of a reading.
func (p *page) field(name markup, text string, differs bool) {
	if differs {
		p.put("{}<mark><bdi>{}</bdi></mark> ", name, text)
	} else {
		p.put("{}<bdi>{}</bdi> ", name, text)
	}
}

// context is how many characters are shown before a difference in a long text.
const context = 24

// marked writes a value with a mark on what differs: all of it, or the middle of a
// text.
func (p *page) marked(text, other string) {
	before, differs, after := difference(text, other)
	if n := utf8.RuneCountInString(before); n > context {
		before = "…" + string([]rune(before)[n-context:])
	}
	p.put("{}<mark>{}</mark>{}", before, differs, after)
}

// difference divides a text into what it begins with as another does, what differs,
// and what it ends with as the other does. Values that are no texts, which begin
// with a quotation mark, differ as a whole, since their digits say nothing alone.
func difference(text, other string) (before, differs, after string) {
	if !strings.HasPrefix(text, `"`) || !strings.HasPrefix(other, `"`) || text == other {
		return "", text, ""
	}
	from := 0
	for from < len(text) && from < len(other) {
		r, n := utf8.DecodeRuneInString(text[from:])
		if o, m := utf8.DecodeRuneInString(other[from:]); o != r || m != n || text[from:from+n] != other[from:from+m] {
			break
		}
		from += n
	}
	to := 0
	for to < len(text)-from && to < len(other)-from {
		r, n := utf8.DecodeLastRuneInString(text[from : len(text)-to])
		if o, m := utf8.DecodeLastRuneInString(other[from : len(other)-to]); o != r || m != n || text[len(text)-to-n:] != other[len(other)-to-n:] {
			break
		}
		to += n
	}
	return text[:from], text[from : len(text)-to], text[len(text)-to:]
}

// problems lists windows that are not matched, and counts all.
func (p *page) problems(r *validate.Result) {
	p.put("<section id=\"windows\">\n<h2>Windows</h2>\n<p>A window is a tag of a device during a time. {}", amount(r.Windows, "window"))
	separator := markup(", by the worst verdict in each: ")
	for _, verdict := range slices.Backward(validate.Verdicts[:]) {
		if n := r.Verdicts[verdict]; n != 0 {
			p.put("{}{} {}", separator, n, lookOf(verdict).word)
			separator = ", "
		}
	}
	p.put(".</p>\n")
	if len(r.Problems) > 0 {
		p.put(`<div class="rows" tabindex="0" role="region" aria-label="windows"><table class="list windows">
<thead><tr><th scope="col">verdict</th><th scope="col">device, tag</th><th scope="col">window</th><th scope="col" class="n">expected</th><th scope="col" class="n">observed</th><th scope="col">found</th></tr></thead>
<tbody>
`)
		for i := range r.Problems {
			w := &r.Problems[i]
			l := lookOf(w.Verdict)
			p.put(`<tr><td><b class="badge v{}">{}</b> {}</td><td><b><bdi>{}</bdi></b> <i><bdi>{}</bdi></i></td><td>{}</td><td class="n">{}</td><td class="n">{}</td><td>{}</td></tr>
`, class(l.letter), class(l.letter), l.word, w.Device, w.Tag, span(w.From, w.To), w.Expected, w.Observed, listed(findings(w.Counts)))
		}
		p.put("</tbody>\n</table></div>\n")
	}
	p.omitted(r.OmittedProblems, "window that is no worse", "windows that are no worse")
	p.put("</section>\n")
}
