package validate

import (
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/internal/digits"
)

// result says what was found, and what it means.
func (r *run) result(watermark, after time.Time, judged int64, blind []string) *Result {
	res := &Result{
		From: r.query(r.first, 1).From, To: r.query(r.last, 1).From, Device: r.Job.Device,
		Started: r.started, Finished: time.Now().UTC(), Watermark: watermark,
		Expectation: SideResult{Name: r.ExpectName, Place: r.sides[expected].String(), Costs: r.costs(expected)},
		Observation: SideResult{Name: r.ObserveName, Place: r.sides[observed].String(), Costs: r.costs(observed)},
		Rules:       append(r.sentences(r.Options), blind...),
	}
	if r.Since.Before(r.started) {
		res.Rules = append(res.Rules, fmt.Sprintf("This run went on with what one had found that began at %s.", r.Since.Format(time.RFC3339)))
	}
	r.Findings.fill(res, r.arrival, r.MaxListed)
	var wrong, unsure, notes []string
	c := &res.Counts
	for _, is := range []struct {
		v         Verdict
		n         int64
		one, many string
	}{
		{Missing, c.Missing, "1 expected reading is missing.", "%s expected readings are missing."},
		{Altered, c.Altered, "1 reading is altered.", "%s readings are altered."},
		{Extra, c.Extra, "1 reading was observed and not expected.", "%s readings were observed and not expected."},
		{Duplicate, c.Duplicate, "1 copy was observed beyond what is expected.", "%s copies were observed beyond what is expected."},
		{Late, c.Late, "1 reading arrived late.", "%s readings arrived late."},
		{OutOfOrder, c.OutOfOrder, "1 reading arrived out of order.", "%s readings arrived out of order."},
	} {
		if is.n == 0 {
			continue
		}
		if says := count(is.n, is.one, is.many); r.tolerates(is.v) {
			notes = append(notes, says+" The rules tolerate it.")
		} else {
			wrong = append(wrong, says)
		}
	}
	if c.Expected > 0 && c.Observed == 0 && r.Findings.Unreadable[observed].n() == 0 {
		// It may be a loss. More often it is another place than what the feed writes to.
		says := fmt.Sprintf("Nothing at all was found at the %s: is it the right place, and its path or table that of the sink? It is %s.", r.called(observed), r.sides[observed])
		if len(wrong) > 0 {
			wrong = append([]string{says}, wrong...)
		} else {
			notes = append(notes, says)
		}
	}
	if judged < r.last {
		waits := fmt.Sprintf("the time from %s on waits for it to pass the end of a window by %s", r.query(judged, 1).From.Format(time.RFC3339), r.Lateness)
		if watermark.IsZero() {
			unsure = append(unsure, "The expectation has no watermark yet: "+waits+".")
		} else {
			unsure = append(unsure, fmt.Sprintf("The expectation's watermark is at %s: %s.", watermark.UTC().Format(time.RFC3339), waits))
		}
	}
	if after.Before(watermark) {
		unsure = append(unsure, fmt.Sprintf("The expectation's watermark went back from %s to %s while it was read: what it told may not have been all.", watermark.UTC().Format(time.RFC3339), after.UTC().Format(time.RFC3339)))
	}
	if n := r.Findings.Unsteady; n > 0 {
		unsure = append(unsure, count(n, "The expectation told other readings of 1 window when it was read again", "The expectation told other readings of %s windows when they were read again")+": what it told first may not be all compared. Validate again.")
	}
	if n := res.Verdicts[Undecided]; n > 0 {
		unsure = append(unsure, count(n, "Of 1 window nothing can be said", "Of %s windows nothing can be said")+count(c.Undecided, ", with 1 expected reading.", ", with %s expected readings in all."))
	}
	if c.Expected == 0 {
		unsure = append(unsure, "The expectation has no readings in this range: that proves nothing.")
	}
	if n := r.Findings.Unreadable[expected].n(); n > 0 {
		unsure = append(unsure, count(n, "1 place of the expectation", "%s places of the expectation")+" could not be read: what stands there is not compared, and no reading that may be expected there is called extra.")
	}
	if n := r.Findings.Unreadable[observed].n(); n > 0 {
		unsure = append(unsure, count(n, "1 place of the observation", "%s places of the observation")+" could not be read: what stands there is not compared, and no reading that may stand there is called missing.")
	}
	if c.Repeated > 0 {
		notes = append(notes, count(c.Repeated, "The expectation told 1 reading once more than it was observed.", "The expectation told %s readings more often than they were observed."))
	}
	switch {
	case len(wrong) > 0:
		res.Outcome = Discrepant
	case len(unsure) > 0 || c.open():
		res.Outcome = Open
	default:
		res.Outcome = Proven
	}
	res.Reasons = append(append(append(wrong, unsure...), notes...), blind...)
	return res
}

// count returns a sentence about one, or one with a verb for many and their number
// for %s.
func count(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, digits.Grouped(n))
}
