package report

import (
	"fmt"
	"strings"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// look is how a verdict is shown: never by its colour alone.
type look struct {
	letter string // also names its class in the page
	word   string
}

var looks = map[validate.Verdict]look{
	validate.Matched:    {"K", "matched"},
	validate.OutOfOrder: {"O", "out of order"},
	validate.Late:       {"L", "late"},
	validate.Duplicate:  {"D", "duplicate"},
	validate.Undecided:  {"U", "undecided"},
	validate.Extra:      {"E", "extra"},
	validate.Altered:    {"A", "altered"},
	validate.Missing:    {"M", "missing"},
}

// lookOf takes a verdict that it does not know for undecided.
func lookOf(v validate.Verdict) look {
	l, known := looks[v]
	if !known {
		return looks[validate.Undecided]
	}
	return l
}

// badness orders verdicts, from 0 on.
func badness(v validate.Verdict) int {
	undecided := 0
	for i, known := range validate.Verdicts {
		if known == v {
			return i
		}
		if known == validate.Undecided {
			undecided = i
		}
	}
	return undecided
}

// finding is how many readings got a verdict.
type finding struct {
	verdict validate.Verdict
	n       int64
}

// findings returns what is not matched, the worst first, zeros included.
func findings(c validate.Counts) []finding {
	return []finding{
		{validate.Missing, c.Missing},
		{validate.Altered, c.Altered},
		{validate.Extra, c.Extra},
		{validate.Undecided, c.Undecided},
		{validate.Duplicate, c.Duplicate},
		{validate.Late, c.Late},
		{validate.OutOfOrder, c.OutOfOrder},
	}
}

// listed writes findings that are there, such as "12 missing, 3 altered".
func listed(fs []finding) string {
	var parts []string
	for _, f := range fs {
		if f.n != 0 {
			parts = append(parts, count(f.n)+" "+lookOf(f.verdict).word)
		}
	}
	return strings.Join(parts, ", ")
}

// headline says the outcome in a few words.
func headline(r *validate.Result) string {
	switch r.Outcome {
	case validate.Proven:
		return "Proven complete"
	case validate.Discrepant:
		return wrong(r.Counts)
	default:
		return "Cannot say yet"
	}
}

// wrong says how many readings are wrong. Copies, lateness and disorder are named
// only when there is nothing worse, since rules may tolerate them.
func wrong(c validate.Counts) string {
	all := findings(c)
	bad := []finding{all[0], all[1], all[2]}
	if c.Missing+c.Altered+c.Extra == 0 {
		bad = []finding{all[4], all[5], all[6]}
	}
	text := listed(bad)
	if text == "" {
		return "Something is wrong"
	}
	n, rest, _ := strings.Cut(text, " ")
	if n == "1" {
		text = "1 reading is " + rest
	} else {
		text = n + " readings are " + rest
	}
	if c.Missing > 0 && c.Observed == 0 {
		text += ": nothing at all was found"
	}
	return text
}

// summary says in a sentence or two what the headline means.
func summary(r *validate.Result) string {
	c, expectation, observation := r.Counts, sideName(r.Expectation, "expectation"), sideName(r.Observation, "observation")
	distinct := c.Expected - c.Repeated
	text := fmt.Sprintf("The %s has %s", expectation, amount(c.Expected, "reading"))
	if c.Repeated > 0 {
		text += fmt.Sprintf(", %s of them told again", count(c.Repeated))
	}
	same := "; " + count(c.Matched) + " were read at the " + observation + " and say the same"
	if c.Matched == 1 {
		same = "; 1 was read at the " + observation + " and says the same"
	}
	switch {
	case distinct == 0:
		text += " of this time."
	case r.Outcome == validate.Proven:
		text += fmt.Sprintf("; each was read at the %s and says the same.", observation)
	case c.Undecided == distinct:
		text += "." // of none is known whether it says the same
	case c.Undecided > 0: // a part of those that are decided would be taken for one of all
		text += same + "."
	default:
		text += same + " (" + percent(c.Matched, distinct) + ")."
	}
	if r.Outcome != validate.Proven && r.Outcome != validate.Discrepant {
		text = "Nothing is known to be wrong, and it is not proven that nothing is. " + text
	}
	switch unsure := observedOpen(c); {
	case c.Undecided > 0:
		text += undecided(r)
	case unsure > 0:
		text += fmt.Sprintf(" Of %s that were observed nothing can be said.", count(unsure))
	}
	return text
}

// undecided says what waits for the watermark, and of what nothing can be said.
func undecided(r *validate.Result) string {
	text := ""
	if r.Waiting == 1 {
		text = " 1 waits for the watermark."
	} else if r.Waiting > 1 {
		text = " " + count(r.Waiting) + " wait for the watermark."
	}
	if n := r.Counts.Undecided - r.Waiting; n > 0 {
		text += " Of " + count(n) + " nothing can be said."
	}
	return text
}

// sideName is how a sentence calls a side.
func sideName(s validate.SideResult, role string) string {
	if s.Name == "" {
		return role
	}
	return role + " (" + s.Name + ")"
}

// about says which readings were looked at. The name comes last: one that is
// written from right to left would take the times with it.
func about(r *validate.Result) string {
	which := "all devices"
	if r.Device != "" {
		which = "device " + r.Device
	}
	return span(r.From, r.To) + ", " + which
}

// term is a summand of an account.
type term struct {
	name string
	n    int64
}

// readAgain reports whether readings were read twice, which is what is done where the
// sides differ.
func readAgain(r *validate.Result) bool {
	return r.Expectation.Readings > r.Counts.Expected || r.Observation.Readings > r.Counts.Observed
}

// account is a sum that must be right.
type account struct {
	whole term
	parts []term
	holds bool
}

// accounts are the sums that [validate.Counts] promises. What was observed and
// cannot be judged has no count of its own: it is what the others leave, and there
// is none when all is proven.
func accounts(r *validate.Result) []account {
	c, unsure := r.Counts, observedOpen(r.Counts)
	expected := account{
		term{"expected", c.Expected},
		[]term{{"matched", c.Matched}, {"altered", c.Altered}, {"missing", c.Missing}, {"undecided", c.Undecided}, {"repeated", c.Repeated}},
		c.Expected == c.Matched+c.Altered+c.Missing+c.Undecided+c.Repeated,
	}
	observed := account{
		term{"observed", c.Observed},
		[]term{{"matched", c.Matched}, {"altered", c.Altered}, {"extra", c.Extra}, {"duplicate", c.Duplicate}},
		unsure == 0 || unsure > 0 && r.Outcome != validate.Proven,
	}
	if unsure != 0 {
		observed.parts = append(observed.parts, term{"undecided", unsure})
	}
	return []account{expected, observed}
}

// observedOpen returns how many readings were observed and have no verdict.
func observedOpen(c validate.Counts) int64 {
	return c.Observed - c.Matched - c.Altered - c.Extra - c.Duplicate
}

// took says how long the run took, and how fast it read.
func took(r *validate.Result) string {
	d := r.Finished.Sub(r.Started)
	text := period(d)
	if n := r.Expectation.Readings + r.Observation.Readings; n > 0 && d > 0 {
		text += fmt.Sprintf(" (read %s readings/s, both sides)", count(int64(float64(n)/d.Seconds())))
	}
	return text
}
