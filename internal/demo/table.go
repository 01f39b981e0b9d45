package demo

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/kraft-edge/datafeed/feed"
)

// Write writes the report for people.
func (r *Report) Write(w io.Writer, color bool) error {
	s := style{color}
	var b strings.Builder
	b.WriteString("\n")
	r.writeSent(&b, s)
	r.writeHops(&b, s)
	r.writeCompared(&b, s)
	b.WriteString("\n")
	r.writeValidation(&b, s)
	fmt.Fprintf(&b, "\n  start %.1f s, sending %.1f s, draining %.1f s, comparing %.1f s", r.StartSeconds, r.SendSeconds, r.DrainSeconds, r.CompareSeconds)
	if r.PeakRSSBytes > 0 {
		fmt.Fprintf(&b, "\n  memory %d MiB, at most %d MiB: feeds, devices, brokers and witnesses together", r.RSSBytes>>20, r.PeakRSSBytes>>20)
	}
	b.WriteString("\n\n")
	if r.Complete {
		b.WriteString("  " + s.paint(green, "✓ every place has what the cloud API serves, unaltered, and nothing else") + "\n")
	}
	for _, p := range r.Problems {
		var lines strings.Builder
		paragraph(&lines, "    ", plain(p))
		b.WriteString("  " + s.paint(red, "✗ "+strings.TrimSpace(lines.String())) + "\n")
	}
	for i, f := range r.Files {
		b.WriteString([]string{"\n  the feeds: ", "\n             "}[min(i, 1)] + f)
	}
	if len(r.Files) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeSent says what the devices have sent.
func (r *Report) writeSent(b *strings.Builder, s style) {
	rate := perSecond(r.Rate)
	if r.slow() {
		rate += " of " + perSecond(r.RateAsked) + " asked"
	}
	d := &r.Devices
	paragraph(b, "  ", fmt.Sprintf("%s of %s in %s batches, in %.1f s (%s)",
		s.paint(bold, readings(d.Readings)), amount(uint64(d.Count), "device"), count(d.Batches), r.SendSeconds, rate))
	wrong := listedCounts([]counted{
		{"damaged", d.Corrupt() - d.Garbage}, {"garbage", d.Garbage}, {"repeated", d.Duplicates}, {"late batches", d.Reordered},
	})
	if wrong != "" {
		paragraph(b, "  ", "wrong on purpose: "+wrong)
	}
	var reasons []counted
	for _, reason := range slices.Sorted(maps.Keys(r.Quarantine)) {
		reasons = append(reasons, counted{reason, r.Quarantine[reason]})
	}
	if len(reasons) > 0 {
		paragraph(b, "  ", "quarantined: "+listedCounts(reasons))
	}
}

// counted is how many there are of something.
type counted struct {
	what string
	n    uint64
}

func listedCounts(cs []counted) string {
	var parts []string
	for _, c := range cs {
		if c.n > 0 {
			parts = append(parts, count(c.n)+" "+c.what)
		}
	}
	return strings.Join(parts, ", ")
}

// writeHops writes the accounts of the feeds.
func (r *Report) writeHops(b *strings.Builder, s style) {
	b.WriteString("\n" + s.paint(dim, fmt.Sprintf(hopRow, "EVERY HOP", "RECEIVED", "DELIVERED", "QUARANTINED", "RETURNED", "BALANCE")) + "\n")
	for i := range r.Routes {
		a := &r.Routes[i]
		switch a.Name {
		case routeDevices:
			s.accounted(b, "devices → RabbitMQ, batches", a.Deliveries)
		case routeTruth:
			s.accounted(b, "truth → cloud API, batches", a.Deliveries)
		case routeIngest, routeDirect:
			s.accounted(b, a.Name+", batches", a.Deliveries)
			s.accounted(b, a.Name+", their readings", ofReadings(a.Produced))
		default:
			s.accounted(b, a.Name+", readings", a.Deliveries)
		}
	}
}

// ofReadings leaves the batches out that were refused whole, which the account of
// what was produced has as one message each: the row above it counts them.
func ofReadings(a feed.Account) feed.Account {
	batches := a.Quarantined["unbatch"]
	a.Received -= batches
	a.Quarantined = maps.Clone(a.Quarantined)
	delete(a.Quarantined, "unbatch")
	return a
}

// writeCompared writes what is at each place beside what the cloud API serves.
func (r *Report) writeCompared(b *strings.Builder, s style) {
	b.WriteString("\n" + s.paint(dim, fmt.Sprintf(placeRow, "CONTENTS COMPARED", "ARRIVED", "MISSING", "ALTERED", "UNKNOWN", "REPEATED", "LATE")) + "\n")
	fmt.Fprintf(b, placeColumn+"\n", "cloud API, "+amount(uint64(r.API.Pages), "page"), count(r.API.Readings))
	s.compared(b, "MQTT subscriber", r.MQTT)
	s.compared(b, "lines in "+amount(uint64(r.Blobs.Objects), "file"), r.Blobs.Comparison)
	if r.PostgreSQL != nil {
		s.compared(b, "rows in PostgreSQL", *r.PostgreSQL)
	}
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

// The rows of the tables, which fill tableWidth.
const (
	hopRow      = "  %-27s %9s %9s %11s %8s %8s"
	placeColumn = "  %-22s %10s"
	placeRow    = placeColumn + " %8s %7s %7s %10s %7s"
)

func (s style) compared(b *strings.Builder, name string, c Comparison) {
	fmt.Fprintf(b, placeColumn, name, count(c.Arrived))
	b.WriteString(s.bad(8, c.Missing) + s.bad(7, c.Altered) + s.bad(7, c.Unexpected+c.Unreadable))
	fmt.Fprintf(b, " %10s %7s\n", count(c.Duplicates), count(c.Disordered))
}

// bad colours what ought to be zero.
func (s style) bad(width int, n uint64) string {
	text := fmt.Sprintf(" %*s", width, count(n))
	if n == 0 {
		return text
	}
	return s.paint(red, text)
}

func (s style) accounted(b *strings.Builder, name string, a feed.Account) {
	balance := s.paint(green, fmt.Sprintf(" %8s", "ok"))
	if a.Check() != nil {
		balance = s.paint(red, fmt.Sprintf(" %8s", "WRONG"))
	}
	fmt.Fprintf(b, "  %-27s %9s %9s %11s %8s%s\n", name, count(a.Received), count(a.Delivered), count(feed.Total(a.Quarantined)), count(feed.Total(a.Returned)), balance)
}
