package report

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// Style says how a summary is written.
type Style struct {
	Color bool // with escape sequences for colours, as terminals take them
	// Width is how many columns a line may have; longer ones are wrapped or cut. 0
	// cuts nothing, as is right for a log.
	Width int
}

// WriteText writes a summary of 50 lines at most. It returns the error of w.
func WriteText(w io.Writer, r *validate.Result, s Style) error {
	if s.Width <= 0 {
		s.Width = unbounded
	}
	t := &text{Style: s}
	color, sign := yellow, "? "
	switch r.Outcome {
	case validate.Proven:
		color, sign = green, "✓ "
	case validate.Discrepant:
		color, sign = red, "✗ "
	}
	t.paragraph(sign+headline(r), 2, color)
	t.paragraph(about(r), 1, dim)
	t.paragraph(summary(r), 4, "")
	t.reasons(r.Reasons)
	t.sides(r)
	t.devices(r)
	t.discrepancies(r)
	t.timing(r)
	_, err := io.WriteString(w, t.b.String())
	return err
}

// The colours of a terminal.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// margin stands before each line.
const margin = "  "

const (
	unbounded = 1 << 20 // columns: more than any text has
	roomy     = 160     // columns in which names and values have room in full
)

// How much is shown.
const (
	mostReasons           = 10 // lines
	mostReasonLines       = 3
	mostDevices           = 3
	mostTextDiscrepancies = 12 // more than there are verdicts
)

// text is a summary that is being written.
type text struct {
	Style
	b strings.Builder
}

// line writes a line in a colour, cut to the width. What it gets must be visible.
func (t *text) line(line, color string) {
	line = strings.TrimRight(clip(margin+line, t.Width), " ")
	if t.Color && color != "" && line != "" {
		line = margin + "\x1b[" + color + "m" + strings.TrimPrefix(line, margin) + "\x1b[0m"
	}
	t.b.WriteString(line + "\n")
}

// paragraph writes text on several lines, with dots when most are not enough. Lines
// after the first are indented below its second character. It returns how many
// there are.
func (t *text) paragraph(text string, most int, color string) int {
	lines := wrap(visible(text, mostSentence), t.Width-len(margin))
	if len(lines) > most {
		lines = lines[:most]
		lines[most-1] = clip(lines[most-1]+" …", t.Width-len(margin))
	}
	for _, l := range lines {
		t.line(l, color)
	}
	return len(lines)
}

// wrap breaks text into lines. A longer word stays whole. Lines of a text that
// begins with a sign are indented behind it.
func wrap(text string, width int) []string {
	indent := ""
	for _, sign := range []string{"✓ ", "✗ ", "? ", "- "} {
		if strings.HasPrefix(text, sign) {
			indent = "  "
		}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case columns(line+" "+word) > width:
			lines = append(lines, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// columns returns how many columns a text takes, a character being one.
func columns(text string) int { return utf8.RuneCountInString(text) }

// clip cuts a text.
func clip(text string, most int) string {
	if columns(text) <= most {
		return text
	}
	return string([]rune(text)[:most-1]) + "…"
}

// reasons writes the first reasons.
func (t *text) reasons(reasons []string) {
	left := mostReasons
	for i, reason := range reasons {
		more := len(reasons) - i
		if more > 1 && left == 1 {
			t.line("- and "+amount(int64(more), "more reason"), "")
			return
		}
		left -= t.paragraph("- "+reason, min(mostReasonLines, max(1, left-min(1, more-1))), "")
		if left <= 0 {
			return
		}
	}
}

// sides writes what was read.
func (t *text) sides(r *validate.Result) {
	rows := [][]string{{"SIDE", "READ", "BYTES", "OBJECTS", "REQUESTS", ""}}
	for _, s := range []struct {
		role string
		validate.SideResult
	}{{"expectation", r.Expectation}, {"observation", r.Observation}} {
		name := s.Name
		if name == "" {
			name = s.role
		}
		rows = append(rows, []string{name, count(s.Readings), size(s.Bytes), count(s.Objects), count(s.Requests), s.Place})
	}
	t.table(rows)
	if readAgain(r) {
		t.paragraph("READ counts twice what was read twice, since the sides differ there.", 2, dim)
	}
}

// devices writes the counts of all devices, and of the worst.
func (t *text) devices(r *validate.Result) {
	row := func(name string, c validate.Counts) []string {
		return []string{name, count(c.Expected), count(c.Missing), count(c.Altered), count(c.Extra), count(c.Undecided), count(c.Duplicate), ""}
	}
	rows := [][]string{{"DEVICES, THE WORST", "EXPECTED", "MISSING", "ALTERED", "EXTRA", "UNDECIDED", "COPIES", ""}, row("all", r.Counts)}
	for _, d := range r.Devices[:min(len(r.Devices), mostDevices)] {
		if listed(findings(d.Counts)) != "" {
			rows = append(rows, row(d.Device, d.Counts))
		}
	}
	t.table(rows)
}

// table writes rows behind an empty line; the first row is the head. The first
// column takes what the others leave, and the last one, which may be empty, what is
// then still free.
func (t *text) table(rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = visible(cell, mostPlace)
			widths[i] = max(widths[i], columns(row[i]))
		}
	}
	last := len(widths) - 1
	free := t.Width - len(margin)
	for _, w := range widths[1:last] {
		free -= w + 2
	}
	first := min(widths[0], max(free, 8))
	t.b.WriteByte('\n')
	for i, row := range rows {
		name := clip(row[0], first)
		line := name + strings.Repeat(" ", first-columns(name))
		for j, cell := range row[1:last] {
			line += strings.Repeat(" ", 2+widths[j+1]-columns(cell)) + cell
		}
		if row[last] != "" && free-first > 12 {
			line += "  " + row[last]
		}
		color := ""
		if i == 0 {
			color = dim
		}
		t.line(line, color)
	}
}

// discrepancies writes the first ones.
func (t *text) discrepancies(r *validate.Result) {
	all := int64(len(r.Discrepancies)) + r.OmittedDiscrepancies
	if all == 0 {
		return
	}
	t.b.WriteByte('\n')
	shown := pick(r.Discrepancies, mostTextDiscrepancies)
	t.line("DISCREPANCIES, "+count(int64(len(shown)))+" OF "+count(all), dim)
	for _, d := range shown {
		t.line(lookOf(d.Verdict).letter+" "+t.told(d), "")
	}
	if more := all - int64(len(shown)); more > 0 {
		t.line(count(more)+" more: --html FILE or --list FILE", dim)
	}
}

// pick returns some in their order: the first of each verdict, and then the first.
func pick(all []validate.Discrepancy, most int) []validate.Discrepancy {
	chosen, seen := map[int]bool{}, map[string]bool{}
	for i := range all {
		if l := lookOf(all[i].Verdict).letter; !seen[l] {
			seen[l], chosen[i] = true, true
		}
	}
	var picked []validate.Discrepancy
	for i := range all {
		if chosen[i] || len(chosen) < most {
			chosen[i] = true
			picked = append(picked, all[i])
		}
	}
	return picked
}

// told says in a line what is wrong with a reading.
func (t *text) told(d validate.Discrepancy) string {
	name, value := mostName, mostName
	if t.Width < roomy { // what is wrong shall have room on the line
		name, value = 16, 14
	}
	line := exact(d.Time) + " " + clip(visible(d.Device, mostName), name) + "/" + clip(visible(d.Tag, mostName), name) + " "
	text := func(s *validate.Said) string { return clip(visible(s.Text, mostName), value) }
	switch {
	case d.Expected != nil && d.Observed != nil:
		line += text(d.Expected) + " → " + text(d.Observed)
		if len(d.Fields) > 0 {
			line += " (" + visible(strings.Join(d.Fields, ", "), mostName) + ")"
		}
		line += " at " + visible(d.Observed.Place, mostPlace)
	case d.Expected != nil:
		line += text(d.Expected) + " at " + visible(d.Expected.Place, mostPlace)
	case d.Observed != nil:
		line += text(d.Observed) + " at " + visible(d.Observed.Place, mostPlace)
	}
	return line
}

// timing writes how long readings took, and how long the run took.
func (t *text) timing(r *validate.Result) {
	t.b.WriteByte('\n')
	if l := r.Latency; l != nil && l.Count > 0 {
		t.line("latency: half within "+period(l.P50)+", 95% "+period(l.P95)+", 99% "+period(l.P99)+", all "+period(l.Max), "")
	}
	t.line(moment(r.Finished)+", took "+took(r), dim)
}
