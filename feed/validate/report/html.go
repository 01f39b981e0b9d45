package report

import (
	"crypto/sha256"
	_ "embed" // of the style and the script
	"encoding/base64"
	"io"

	"github.com/kraft-edge/datafeed/feed/validate"
)

//go:embed page.css
var style string

//go:embed page.js
var script string

// WriteHTML writes the result as one page in UTF-8 that fetches nothing. It returns
// the error of w, and one when the parts of the picture do not lie between From and
// To; then nothing is written.
func WriteHTML(w io.Writer, r *validate.Result) error {
	picture, err := newPicture(r)
	if err != nil {
		return err
	}
	p := newPage(w)
	p.head(r)
	p.verdict(r)
	p.put("<main>\n")
	p.counts(r)
	p.picture(r, picture)
	p.discrepancies(r)
	p.problems(r)
	p.charts(r, picture)
	p.unreadable(r)
	p.rules(r)
	p.evidence(r)
	p.put("</main>\n<script>{}</script>\n</body>\n</html>\n", markup(script))
	return p.close()
}

// head opens the page. Its policy lets the page run and fetch nothing but what
// stands in it, whatever gets into it.
func (p *page) head(r *validate.Result) {
	p.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{}: {}</title>
<style>{}</style>
</head>
<body>
`, sourceHash(style), sourceHash(script), attribute(headline(r)), attribute(about(r)), markup(style))
}

// sourceHash is how a policy names a style or a script that it permits.
func sourceHash(source string) markup {
	sum := sha256.Sum256([]byte(source))
	return markup("sha256-" + base64.StdEncoding.EncodeToString(sum[:]))
}

// outcomes are the class and the sign of an outcome.
var outcomes = map[validate.Outcome][2]markup{
	validate.Proven:     {"proven", "✓"},
	validate.Discrepant: {"discrepant", "✗"},
	validate.Open:       {"open", "?"},
}

// verdict says what there is to decide on.
func (p *page) verdict(r *validate.Result) {
	o, known := outcomes[r.Outcome]
	if !known {
		o = outcomes[validate.Open]
	}
	p.put(`<header class="{}"><div>
<p class="about">{}</p>
<h1><span class="sign" aria-hidden="true">{}</span>{}</h1>
<p class="summary">{}</p>
`, o[0], sentence(about(r)), o[1], headline(r), sentence(summary(r)))
	if len(r.Reasons) > 0 {
		p.put("<ul class=\"reasons\">\n")
		for _, reason := range r.Reasons {
			p.put("<li>{}</li>\n", sentence(reason))
		}
		p.put("</ul>\n")
	}
	p.put("</div></header>\n")
}

// counts writes how many readings got which verdict, and that the sums are right.
func (p *page) counts(r *validate.Result) {
	c := r.Counts
	p.put("<section id=\"counts\">\n<h2 class=\"away\">Counts</h2>\n<dl class=\"tiles\">\n")
	tile := func(class class, name markup, n int64, note string) {
		if n == 0 && class != "" && class != "K" {
			class = "none"
		}
		p.put(`<div class="tile v{}"><dt>{} <small>{}</small></dt><dd>{}</dd></div>
`, class, name, note, n)
	}
	tile("", "expected", c.Expected, "")
	tile("", "observed", c.Observed, "")
	part := "" // of those that are decided would be taken for one of all
	if c.Undecided == 0 {
		part = percent(c.Matched, c.Expected-c.Repeated)
	}
	tile("K", "matched", c.Matched, part)
	for _, f := range findings(c) {
		tile(class(lookOf(f.verdict).letter), markup(lookOf(f.verdict).word), f.n, "")
	}
	p.put("</dl>\n<ul class=\"sums\">\n")
	for _, a := range accounts(r) {
		p.put("<li>{} {} =", a.whole.n, a.whole.name)
		for i, t := range a.parts {
			if i > 0 {
				p.put(" +")
			}
			p.put(" {} {}", t.n, t.name)
		}
		if a.holds {
			p.put(" <b class=\"holds\">✓</b></li>\n")
		} else {
			p.put(" <b class=\"breaks\">✗ the sum is wrong: do not trust this report</b></li>\n")
		}
	}
	p.put("</ul>\n</section>\n")
}

// unreadable lists the places at which something stands that cannot be read.
func (p *page) unreadable(r *validate.Result) {
	if len(r.Unreadable) == 0 {
		return
	}
	p.put("<section id=\"unreadable\">\n<h2>Unreadable</h2>\n<p>What stands here could not be read. As long as it is there, nothing can be called missing.</p>\n<ul class=\"places\">\n")
	for _, u := range r.Unreadable {
		p.put("<li>{}</li>\n", sentence(u))
	}
	p.put("</ul>\n")
	p.omitted(r.OmittedUnreadable, "more of them", "more of them")
	p.put("</section>\n")
}

// omitted says that a list does not have all.
func (p *page) omitted(n int64, one, many string) {
	if n > 0 {
		what := many
		if n == 1 {
			what = one
		}
		p.put("<p class=\"omitted\">Not listed: {} {}.</p>\n", n, what)
	}
}

// rules prints by which rules the two sides were compared.
func (p *page) rules(r *validate.Result) {
	p.put("<section id=\"rules\">\n<h2>Rules</h2>\n<ul>\n")
	for _, rule := range r.Rules {
		p.put("<li>{}</li>\n", sentence(rule))
	}
	p.put("</ul>\n</section>\n")
}

// evidence says what was read, and when.
func (p *page) evidence(r *validate.Result) {
	again := ""
	if readAgain(r) {
		again = " What was read twice, since the sides differ there, counts twice."
	}
	p.put(`<section id="evidence">
<h2>What was read</h2>
<p>All of it was read in this run; what the feed says of itself counts for nothing.{}</p>
<div class="rows"><table class="evidence">
<thead><tr><th scope="col">side</th><th scope="col" class="n">read</th><th scope="col" class="n">bytes</th><th scope="col" class="n">objects</th><th scope="col" class="n">requests</th><th scope="col" class="n">retries</th></tr></thead>
<tbody>
`, again)
	for _, s := range []struct {
		role string
		validate.SideResult
	}{{"expectation", r.Expectation}, {"observation", r.Observation}} {
		p.put(`<tr><th scope="row"><bdi>{}</bdi> <small><bdi>{}</bdi></small></th><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td><td class="n">{}</td></tr>
`, sideName(s.SideResult, s.role), place(s.Place), s.Readings, size(s.Bytes), s.Objects, s.Requests, s.Retries)
	}
	p.put("</tbody>\n</table></div>\n<dl class=\"facts\">\n")
	fact := func(name markup, text string) { p.put("<div><dt>{}</dt><dd>{}</dd></div>\n", name, text) }
	if r.Watermark.IsZero() {
		fact("watermark", "the expectation has none")
	} else {
		fact("watermark", moment(r.Watermark))
	}
	fact("started", moment(r.Started))
	fact("finished", moment(r.Finished))
	fact("took", took(r))
	p.put("</dl>\n</section>\n")
}
