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
	barWidth     = 28 // of what has arrived
)

// picture draws the live view, a string for each line, none longer than width.
func (s style) picture(p progress, width int) []string {
	lines := []string{
		"",
		"  " + s.header(p),
		"  " + s.bar(fraction(p.Passed, p.Total), pictureWidth, cyan),
		"",
	}
	if len(p.Hops) == 0 { // it has not begun
		return clipped(lines, width)
	}
	lines = append(lines, s.paint(dim, fmt.Sprintf(hopLine, "", "", "", "batches", "readings", "per second", "waiting")))
	for _, h := range p.Hops {
		lines = append(lines, s.hop(p, h))
	}
	lines = append(lines, "")
	for _, a := range p.Places {
		lines = append(lines, s.arrived(a, p.Made))
	}
	if p.Held > 0 {
		lines = append(lines, "  "+pad("quarantine", 16)+s.paint(dim, amount(p.Held, "damaged message")))
	}
	lines = append(lines, "")
	for _, h := range p.Hops {
		if h.Reason != "" && h.State != feed.StateRunning {
			lines = append(lines, "  "+s.paint(yellow, h.Name+": "+plain(h.Reason)))
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

// header draws the phase, and the clock at the right, which begins with the demo.
func (s style) header(p progress) string {
	text := seconds(p.Elapsed) + " s"
	if p.RSS > 0 {
		text = fmt.Sprintf("%d MiB · ", p.RSS>>20) + text
	}
	phase := p.phase()
	return s.paint(bold, phase) + s.paint(dim, fmt.Sprintf("%*s", pictureWidth-visible(phase), " "+text))
}

// phase says how much of sending has passed, while it does.
func (p *progress) phase() string {
	if len(p.Hops) == 0 || p.Passed >= p.Total {
		return p.Phase
	}
	return fmt.Sprintf("%s, %s s of %s s", p.Phase, seconds(p.Passed), seconds(p.Total))
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 0, 64) }

// hopLine are the columns of a hop, which fill 79 characters.
const hopLine = "  %-10s%-21s%8s %7s %10s %10s %7s"

// hop draws a route.
func (s style) hop(p progress, h hop) string {
	batches := ""
	if h.Batches > 0 {
		batches = count(h.Batches)
	}
	rate := perSecond(h.Rate)
	if p.Final { // what it did last is no longer of interest
		rate = ""
	}
	path := clip(h.From+" → "+h.To, 20)
	return "  " + pad(h.Name, 10) + s.paint(dim, pad(path, 21)) + strings.Repeat(" ", max(0, 8-len(h.State))) + s.state(h.State) +
		fmt.Sprintf(" %7s %10s %10s %7s", batches, count(h.Readings), rate, count(h.InFlight))
}

func (s style) state(state feed.State) string {
	switch state {
	case feed.StateRunning:
		return s.paint(green, string(state))
	case feed.StateRetrying, feed.StatePaused:
		return s.paint(yellow, string(state))
	}
	return string(state)
}

// arrived draws how much of what was sent is at a place.
func (s style) arrived(a arrivedAt, of uint64) string {
	share, color := 0.0, cyan
	if of > 0 {
		share = min(1, float64(a.N)/float64(of))
		if a.N >= of {
			color = green
		}
	}
	rest := ""
	if a.Files > 0 {
		rest = amount(uint64(a.Files), "file")
	}
	return "  " + pad(a.Name, 16) + s.bar(share, barWidth, color) + fmt.Sprintf(" %10s %8s", count(a.N), percent(share)) +
		s.paint(dim, fmt.Sprintf(" %12s", rest))
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

// line is the view for a log: all on one line that fits a terminal, with the
// reason of the first route that does not run.
func line(p progress) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%4s s %s", seconds(p.Elapsed), p.phase())
	if len(p.Hops) == 0 {
		return b.String()
	}
	fmt.Fprintf(&b, ": sent %s, arrived", count(p.Made))
	for i, a := range p.Places {
		b.WriteString([]string{" ", ", "}[min(i, 1)] + strings.TrimPrefix(a.Name, "lines in ") + " " + count(a.N))
	}
	if p.Held > 0 {
		fmt.Fprintf(&b, ", quarantined %s", count(p.Held))
	}
	for _, h := range p.Hops {
		if h.State != feed.StateRunning && h.State != feed.StateStopped {
			fmt.Fprintf(&b, "; %s is %s: %s", h.Name, h.State, plain(h.Reason))
			break
		}
	}
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

// amount writes a number of things.
func amount(n uint64, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return count(n) + " " + thing
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
