package demo

import (
	"fmt"
	"io"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// Write writes the report for people.
func (r *Report) Write(w io.Writer, color bool) error {
	s := style{color}
	var b strings.Builder
	by := "confirmed by RabbitMQ"
	if r.Source == sourceGenerator {
		by = "generated"
	}
	rate := perSecond(r.Rate)
	if r.slow() {
		rate += " of " + perSecond(r.RateAsked) + " asked"
	}
	b.WriteString("\n")
	paragraph(&b, "  ", fmt.Sprintf("%s readings %s in %.1f s (%s)", s.paint(bold, count(r.Published)), by, r.PublishSeconds, rate))
	if r.Republished > 0 {
		paragraph(&b, "  ", count(r.Republished)+" of them were sent again for want of a confirm: each may have arrived twice")
	}
	b.WriteString("\n" + s.heading("WITNESSES FROM OUTSIDE", "ARRIVED", "MISSING", "DUPLICATE", "REORDERED", "UNKNOWN"))
	s.witnessed(&b, "independent MQTT subscriber", r.MQTT)
	s.witnessed(&b, fmt.Sprintf("lines in %s files", count(uint64(r.Blobs.Objects))), r.Blobs.Verdict)
	b.WriteString("\n" + s.heading("THE FEED'S OWN ACCOUNT", "RECEIVED", "DELIVERED", "OTHERWISE", "IN FLIGHT", "BALANCE"))
	for _, a := range r.Routes {
		s.accounted(&b, a)
	}
	fmt.Fprintf(&b, "\n  start %.1f s, publishing %.1f s, draining %.1f s", r.StartSeconds, r.PublishSeconds, r.DrainSeconds)
	if r.PeakRSSBytes > 0 {
		fmt.Fprintf(&b, "\n  memory %d MiB, at most %d MiB: feed, MQTT broker and witnesses together", r.RSSBytes>>20, r.PeakRSSBytes>>20)
	}
	b.WriteString("\n\n")
	if r.Complete {
		b.WriteString("  " + s.paint(green, "✓ every reading arrived at both places, and every message is accounted for") + "\n")
	}
	for _, p := range r.Problems {
		var lines strings.Builder
		paragraph(&lines, "    ", plain(p))
		b.WriteString("  " + s.paint(red, "✗ "+strings.TrimSpace(lines.String())) + "\n")
	}
	if r.File != "" {
		b.WriteString("\n  the feed: " + r.File + "\n")
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// paragraph writes text on lines of at most tableWidth, each behind indent. A
// word that is longer than that stays whole.
func paragraph(b *strings.Builder, indent, text string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && visible(indent+line+" "+word) > tableWidth {
			b.WriteString(indent + line + "\n")
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	b.WriteString(indent + line + "\n")
}

// tableWidth is what fits a terminal of 80 columns, the last one free.
const tableWidth = 79

// The formats of the columns, which together fill tableWidth.
const (
	nameColumn = "  %-27s"
	wide       = " %10s"
	middling   = " %9s"
	slim       = " %7s"
)

func columns() []string { return []string{wide, wide, middling, middling, slim} }

func (s style) heading(name string, titles ...string) string {
	text := fmt.Sprintf(nameColumn, name)
	for i, c := range columns() {
		text += fmt.Sprintf(c, titles[i])
	}
	return s.paint(dim, text) + "\n"
}

func (s style) witnessed(b *strings.Builder, name string, v witness.Verdict) {
	fmt.Fprintf(b, nameColumn+wide, name, count(v.Arrived))
	b.WriteString(s.cell(wide, v.Missing, red) + s.cell(middling, v.Duplicates, yellow) + s.cell(middling, v.Disordered, yellow) + s.cell(slim, v.Unexpected+v.Unreadable, red) + "\n")
}

// cell colours what ought to be zero.
func (s style) cell(column string, n uint64, color string) string {
	text := fmt.Sprintf(column, count(n))
	if n == 0 {
		return text
	}
	return s.paint(color, text)
}

func (s style) accounted(b *strings.Builder, r RouteAccount) {
	a := r.Deliveries
	other := feed.Total(a.Filtered) + feed.Total(a.Quarantined) + feed.Total(a.Returned)
	balance := s.paint(green, fmt.Sprintf(slim, "ok"))
	if !r.Balances {
		balance = s.paint(red, fmt.Sprintf(slim, "WRONG"))
	}
	fmt.Fprintf(b, nameColumn+wide+wide+middling+middling+"%s\n", "route "+r.Name, count(a.Received), count(a.Delivered), count(other), count(a.InFlight), balance)
}
