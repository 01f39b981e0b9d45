package report

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
)

// markup is HTML that this package has written. A string is no markup: it gets
// into the page escaped.
type markup string

// attribute is foreign text for the value of an attribute, which stands in double
// quotes, or for the title, which holds no elements.
type attribute string

// class is a letter of a verdict.
type class string

// place is foreign text of which more is shown than of a name.
type place string

// sentence is a text of the engine, which may hold foreign text.
type sentence string

// page is written from the beginning to the end. The first error ends the writing
// and is returned in the end. It takes the place of html/template, with which the
// linker keeps all exported methods of all types.
type page struct{ w *bufio.Writer }

func newPage(w io.Writer) *page { return &page{bufio.NewWriterSize(w, 64<<10)} }

// close writes what is left, and returns the first error.
func (p *page) close() error { return p.w.Flush() }

// put writes markup in which {} stands for an argument each.
func (p *page) put(format markup, args ...any) {
	rest := string(format)
	for _, a := range args {
		before, after, found := strings.Cut(rest, "{}")
		if !found {
			panic(fmt.Sprintf("report: more arguments than places: %s", format))
		}
		p.raw(before)
		p.argument(a)
		rest = after
	}
	if strings.Contains(rest, "{}") {
		panic(fmt.Sprintf("report: more places than arguments: %s", format))
	}
	p.raw(rest)
}

// argument writes a value by its type: what comes from outside is escaped.
func (p *page) argument(a any) {
	switch a := a.(type) {
	case markup:
		p.raw(string(a))
	case class:
		p.raw(string(a))
	case attribute:
		p.raw(html.EscapeString(visible(string(a), mostPlace)))
	case string:
		p.text(a, mostName)
	case place:
		p.text(string(a), mostPlace)
	case sentence:
		p.text(string(a), mostSentence)
	case int64:
		p.raw(count(a))
	case int:
		p.raw(strconv.Itoa(a))
	case float64:
		p.raw(decimal(a, 2))
	default:
		panic(fmt.Sprintf("report: nothing writes a %T", a))
	}
}

// text writes foreign text. Escapes of what does not show itself are marked, so
// that a name that holds a backslash is not taken for them.
func (p *page) text(text string, most int) {
	for piece, escaped := range pieces(text, most) {
		if escaped {
			p.raw(`<span class="esc">` + piece + `</span>`)
		} else {
			p.raw(html.EscapeString(piece))
		}
	}
}

// raw writes a piece of the page. The writer keeps an error for close.
func (p *page) raw(text string) { _, _ = p.w.WriteString(text) }
