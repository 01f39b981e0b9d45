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
		by = "handed out by the generator"
	}
	fmt.Fprintf(&b, "\n  %s readings published, %s, in %.1f s (%s)\n", s.paint(bold, count(r.Published)), by, r.PublishSeconds, perSecond(r.Rate))
	if r.Republished > 0 {
		fmt.Fprintf(&b, "  %s of them were sent again for want of a confirm: each may have arrived twice\n", count(r.Republished))
	}
	b.WriteString("\n" + s.heading("WITNESSES FROM OUTSIDE", "ARRIVED", "MISSING", "DUPLICATE", "OUT OF ORDER", "UNEXPECTED"))
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
		b.WriteString("  " + s.paint(red, "✗ "+plain(p)) + "\n")
	}
	if r.File != "" {
		b.WriteString("\n  the feed: " + r.File + "\n")
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (s style) heading(name string, columns ...string) string {
	text := fmt.Sprintf("  %-30s", name)
	for _, c := range columns {
		text += fmt.Sprintf("%13s", c)
	}
	return s.paint(dim, text) + "\n"
}

func (s style) witnessed(b *strings.Builder, name string, v witness.Verdict) {
	fmt.Fprintf(b, "  %-30s%13s", name, count(v.Arrived))
	b.WriteString(s.cell(v.Missing, red) + s.cell(v.Duplicates, yellow) + s.cell(v.Disordered, yellow) + s.cell(v.Unexpected+v.Unreadable, red) + "\n")
}

// cell colours what ought to be zero.
func (s style) cell(n uint64, color string) string {
	text := fmt.Sprintf("%13s", count(n))
	if n == 0 {
		return text
	}
	return s.paint(color, text)
}

func (s style) accounted(b *strings.Builder, r RouteAccount) {
	a := r.Deliveries
	other := feed.Total(a.Filtered) + feed.Total(a.Quarantined) + feed.Total(a.Returned)
	balance := s.paint(green, fmt.Sprintf("%13s", "ok"))
	if !r.Balances {
		balance = s.paint(red, fmt.Sprintf("%13s", "WRONG"))
	}
	fmt.Fprintf(b, "  %-30s%13s%13s%13s%13s%s\n", "route "+r.Name, count(a.Received), count(a.Delivered), count(other), count(a.InFlight), balance)
}
