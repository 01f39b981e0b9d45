package validator

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// judgement is what was found of some windows.
type judgement struct {
	times
	Outcome validate.Outcome `json:"outcome"`
	Counts  validate.Counts  `json:"counts"`
	At      time.Time        `json:"at"`
	// Open says that they are to be judged again, although nothing arrives.
	Open bool `json:"open,omitempty"`
}

// judgements remember which windows were judged. A window is judged once the
// expectation's watermark has passed it, and again only when readings of its time
// have arrived since: the expectation does not change behind its watermark.
type judgements struct {
	window int64 // its length

	mu     sync.Mutex
	since  int64 // before it nothing is judged: the store did not see, or has no more, all that arrived
	judged []judgement
	// closed times are not judged any more, since readings of them were dropped.
	closed coverage
	// judging is what is being judged, and disturbed when readings of it have arrived
	// since that began.
	judging   times
	disturbed bool
}

// stretch is how many windows are judged at a time: an hour of them.
func (j *judgements) stretch() int64 { return max(j.window, int64(time.Hour)/j.window*j.window) }

// touch notes that readings of some times have arrived.
func (j *judgements) touch(c coverage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range c {
		if t.overlaps(j.judging) {
			j.disturbed = true
		}
		if n := len(j.judged); n == 0 || t.From >= j.judged[n-1].To { // as nearly always
			continue
		}
		j.judged = slices.DeleteFunc(j.judged, func(k judgement) bool { return k.overlaps(t) && !j.closed.overlaps(k.times) })
	}
}

// due returns the windows up to a time that are to be judged: at most a stretch at a
// time, in order.
func (j *judgements) due(to int64) []times {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []times
	for _, t := range j.gaps(j.since, to) {
		for t.From < t.To {
			part := times{t.From, min(t.To, t.From+j.stretch())}
			all = append(all, part)
			t.From = part.To
		}
	}
	return all
}

// gaps returns the windows that are not judged, as stretches without gaps.
func (j *judgements) gaps(first, to int64) (all []times) {
	from := j.up(max(first, j.since))
	to = floorDiv(to, j.window) * j.window
	for _, t := range j.done() {
		if t.From >= to {
			break
		}
		if t.From > from {
			all = append(all, times{from, t.From})
		}
		from = max(from, t.To)
	}
	if from < to {
		all = append(all, times{from, to})
	}
	return all
}

// done returns what is judged for good or closed, in order.
func (j *judgements) done() []times {
	var all []times
	for _, k := range j.judged {
		if !k.Open {
			all = append(all, k.times)
		}
	}
	for _, t := range j.closed {
		all = append(all, times{floorDiv(t.From, j.window) * j.window, j.up(t.To)})
	}
	slices.SortFunc(all, func(a, b times) int { return cmp.Compare(a.From, b.From) })
	return all
}

// up rounds a time up to a window's begin.
func (j *judgements) up(at int64) int64 {
	return -floorDiv(-at, j.window) * j.window
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// begin says that windows are being judged.
func (j *judgements) begin(t times) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.judging, j.disturbed = t, false
}

// end says that they are not any more. found is nil when nothing was found out.
func (j *judgements) end(found *judgement) {
	j.mu.Lock()
	defer j.mu.Unlock()
	t, disturbed := j.judging, j.disturbed
	j.judging, j.disturbed = times{}, false
	if found == nil {
		return
	}
	k := *found
	k.times, k.Open = t, k.Open || disturbed
	j.judged = append(slices.DeleteFunc(j.judged, func(k judgement) bool { return k.overlaps(t) }), k)
	slices.SortFunc(j.judged, func(a, b judgement) int { return cmp.Compare(a.From, b.From) })
}

// settled reports whether all windows of some times were judged, or never will be.
func (j *judgements) settled(c coverage) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range c {
		if t.overlaps(j.judging) || len(j.gaps(floorDiv(t.From, j.window)*j.window, j.up(t.To))) > 0 {
			return false
		}
	}
	return true
}

// giveUp says that readings of some times are dropped: their windows are not judged
// any more. It returns how many were not judged yet.
func (j *judgements) giveUp(c coverage, now int64) (windows int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, t := range c {
		t = times{floorDiv(t.From, j.window) * j.window, j.up(t.To)}
		for _, gap := range j.gaps(t.From, min(t.To, now)) {
			windows += (gap.To - gap.From) / j.window
		}
		j.closed = j.closed.insert(t, now)
	}
	return windows
}

// forget forgets windows that began before a time, and returns how many of them were
// never judged.
func (j *judgements) forget(before int64) (windows int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	before = j.up(before)
	for _, gap := range j.gaps(j.since, before) {
		windows += (gap.To - gap.From) / j.window
	}
	j.since = max(j.since, before)
	j.judged = slices.DeleteFunc(j.judged, func(k judgement) bool { return k.To <= before })
	j.closed = slices.DeleteFunc(j.closed, func(t times) bool { return t.To <= before })
	return windows
}

// figures add up what is known of the windows that have ended: what was counted in
// those that were judged, how many were not, and when the oldest of them ended; 0 when
// there is none.
func (j *judgements) figures(now int64) (counts validate.Counts, undecided, oldest int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, k := range j.judged {
		counts.Expected += k.Counts.Expected
		counts.Matched += k.Counts.Matched
		counts.Altered += k.Counts.Altered
		counts.Missing += k.Counts.Missing
		counts.Extra += k.Counts.Extra
		counts.Duplicate += k.Counts.Duplicate
		counts.Repeated += k.Counts.Repeated
		counts.Undecided += k.Counts.Undecided
	}
	for _, gap := range j.gaps(j.since, now) {
		if undecided == 0 {
			oldest = gap.From + j.window
		}
		undecided += (gap.To - gap.From) / j.window
	}
	return counts, undecided, oldest
}
