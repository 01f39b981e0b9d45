package demo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/kraft-edge/datafeed/feed"
)

// style says how to draw.
type style struct{ color bool }

// The escape sequences of a colour.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (s style) paint(code, text string) string {
	if !s.color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// The widths of the picture in characters: with an indent of 2 and the last
// column free, all of it fits a terminal of 80.
const (
	pictureWidth = 77 // of the header and the time bar
	barWidth     = 29 // of what has arrived
)

// picture draws the live view, a string for each line, none longer than width.
func (s style) picture(p progress, width int) []string {
	lines := []string{
		"",
		"  " + s.header(p),
		"  " + s.bar(fraction(p.Elapsed, p.Total), pictureWidth, cyan),
		"",
	}
	if len(p.Routes) == 0 { // it has not begun
		return clipped(lines, width)
	}
	lines = append(lines,
		s.row("", "", "", "readings", "per second", "in flight"),
		s.row("factory", p.Source, "", count(p.Published), perSecond(p.Rate), ""),
	)
	for _, r := range p.Routes {
		lines = append(lines, s.row("route "+r.Name, r.From+" → "+r.To, s.state(r), count(r.Delivered), routeRate(p, r), count(r.InFlight)))
	}
	lines = append(lines, "",
		s.arrived("MQTT subscriber", p.Received, p.Published, ""),
		s.arrived("lines in blobs", p.Lines, p.Published, fmt.Sprintf("%d files", p.Objects)),
		"")
	for _, r := range p.Routes {
		if r.Reason != "" && r.State != feed.StateRunning {
			lines = append(lines, "  "+s.paint(yellow, r.Name+": "+plain(r.Reason)))
		}
	}
	return clipped(lines, width)
}

func clipped(lines []string, width int) []string {
	for i, l := range lines {
		lines[i] = clip(l, width)
	}
	return lines
}

// header draws the phase, and the clock at the right.
func (s style) header(p progress) string {
	text := p.Elapsed.Round(time.Second).String()
	if len(p.Routes) > 0 && p.Elapsed < p.Total {
		text += " of " + p.Total.Round(time.Second).String()
	}
	if p.RSS > 0 {
		text = fmt.Sprintf("%d MiB · ", p.RSS>>20) + text
	}
	return s.paint(bold, p.Phase) + s.paint(dim, fmt.Sprintf("%*s", pictureWidth-visible(p.Phase), " "+text))
}

func (s style) row(name, path, state, n, rate, inFlight string) string {
	if name == "" {
		return s.paint(dim, fmt.Sprintf("  %-16s%-20s%9s %10s %10s %9s", "", "", "", n, rate, inFlight))
	}
	return "  " + pad(name, 16) + s.paint(dim, pad(path, 20)) + strings.Repeat(" ", max(0, 9-visible(state))) + state +
		fmt.Sprintf(" %10s %10s %9s", n, rate, inFlight)
}

// routeRate says nothing of a route that has ended: what it did last is no
// longer of interest.
func routeRate(p progress, r routeProgress) string {
	if p.Final {
		return ""
	}
	return perSecond(r.Rate)
}

func (s style) state(r routeProgress) string {
	switch r.State {
	case feed.StateRunning:
		return s.paint(green, string(r.State))
	case feed.StateRetrying, feed.StatePaused:
		return s.paint(yellow, string(r.State))
	}
	return string(r.State)
}

// arrived draws how much of what was published has arrived.
func (s style) arrived(name string, n, of uint64, rest string) string {
	share, color := 0.0, cyan
	if of > 0 {
		share = min(1, float64(n)/float64(of))
		if n >= of {
			color = green
		}
	}
	return "  " + pad(name, 16) + s.bar(share, barWidth, color) + fmt.Sprintf(" %10s %8s", count(n), percent(share)) +
		s.paint(dim, fmt.Sprintf(" %11s", rest))
}

// percent never rounds up to 100: only what is complete is.
func percent(share float64) string {
	if share >= 1 {
		return "100 %"
	}
	return strconv.FormatFloat(float64(int(share*1000))/10, 'f', 1, 64) + " %"
}

// bar draws a bar in eighths of a character.
func (s style) bar(share float64, width int, color string) string {
	const eighths = "▏▎▍▌▋▊▉"
	n := int(min(max(share, 0), 1) * float64(8*width))
	full := strings.Repeat("█", n/8)
	if n%8 > 0 {
		full += string([]rune(eighths)[n%8-1])
	}
	return s.paint(color, full) + s.paint(dim, strings.Repeat("░", width-visible(full)))
}

// line is the view for a log: all on one line.
func line(p progress) string {
	var b strings.Builder
	if len(p.Routes) == 0 {
		return fmt.Sprintf("%4.0fs %s", p.Elapsed.Seconds(), p.Phase)
	}
	fmt.Fprintf(&b, "%4.0fs %s: published %s (%s)", p.Elapsed.Seconds(), p.Phase, count(p.Published), perSecond(p.Rate))
	for _, r := range p.Routes {
		fmt.Fprintf(&b, " | %s %s: delivered %s, in flight %s", r.Name, r.State, count(r.Delivered), count(r.InFlight))
	}
	fmt.Fprintf(&b, " | MQTT subscriber %s | blobs %s", count(p.Received), count(p.Lines))
	return b.String()
}

func fraction(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func perSecond(rate float64) string { return count(uint64(rate+0.5)) + "/s" }

// count writes a number with thousands separated.
func count(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// plain makes foreign text safe to show on one line of a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-visible(text)))
}

// visible returns how many characters of text take room.
func visible(text string) int {
	n, escape := 0, false
	for _, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			n++
		}
	}
	return n
}

// clip cuts text to width visible characters, and keeps its colours closed.
func clip(text string, width int) string {
	if visible(text) <= width {
		return text
	}
	var b strings.Builder
	n, escape, colored := 0, false, false
	for _, r := range text {
		switch {
		case r == '\x1b':
			escape, colored = true, true
		case escape:
			escape = r != 'm'
		case n == width:
			continue
		default:
			n++
		}
		b.WriteRune(r)
	}
	if colored {
		b.WriteString("\x1b[0m")
	}
	return b.String()
}
