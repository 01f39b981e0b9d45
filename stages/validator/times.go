package validator

import (
	"cmp"
	"slices"
	"time"
)

// times is a stretch of time, in nanoseconds since 1970: From is the first one, To
// the first beyond.
type times struct {
	From int64 `json:"from"`
	To   int64 `json:"to"`
}

func (t times) contains(at int64) bool { return t.From <= at && at < t.To }
func (t times) overlaps(other times) bool {
	return max(t.From, other.From) < min(t.To, other.To) // which one that is empty never does
}
func (t times) bounds() (from, to time.Time) {
	return time.Unix(0, t.From).UTC(), time.Unix(0, t.To).UTC()
}

// coverage is which times some readings have: stretches in order with gaps between
// them. It may say more than there is, never less.
type coverage []times

const (
	// gap is what parts two stretches of a coverage.
	gap = int64(time.Minute)
	// maxStretches bounds a coverage: beyond it those are joined that are farthest from
	// when the readings arrived. A device whose clock runs wild has readings of any
	// time, and none of them may make anything of the windows of the others.
	maxStretches = 16
)

// add covers the time of a reading that arrived at some other.
func (c coverage) add(at, arrived int64) coverage {
	for i := len(c) - 1; i >= 0; i-- { // most are near the last
		if t := &c[i]; at >= t.From-gap && at < t.To+gap { // which cannot overflow: a reading is of 1678 to 2261
			t.From, t.To = min(t.From, at), max(t.To, at+1)
			return c.close(i)
		}
	}
	return c.insert(times{at, at + 1}, arrived)
}

// merge covers what another one does.
func (c coverage) merge(other coverage, arrived int64) coverage {
	for _, t := range other {
		c = c.insert(t, arrived)
	}
	return c
}

// insert adds a stretch, and closes gaps that are too narrow, or too many.
func (c coverage) insert(t times, arrived int64) coverage {
	i, _ := slices.BinarySearchFunc(c, t, func(a, b times) int { return cmp.Compare(a.From, b.From) })
	c = slices.Insert(c, i, t)
	for i := 0; i+1 < len(c); {
		if c.near(i) {
			c = c.join(i)
			continue
		}
		i++
	}
	for len(c) > maxStretches {
		last := len(c) - 2
		if after(arrived, c[1].From) > after(c[last].To, arrived) {
			last = 0
		}
		c = c.join(last)
	}
	return c
}

// after is how much later a is than b, 0 when it is not. It may be more than an int64
// holds.
func after(a, b int64) uint64 {
	if a <= b {
		return 0
	}
	return uint64(a) - uint64(b)
}

// near reports whether nothing parts a stretch and the next.
func (c coverage) near(i int) bool { return after(c[i+1].From, c[i].To) < uint64(gap) }

// until is what is covered before a time.
func (c coverage) until(to int64) (all coverage) {
	for _, t := range c {
		if t.To = min(t.To, to); t.From < t.To {
			all = append(all, t)
		}
	}
	return all
}

// close joins a stretch that has grown with its neighbours, if it has reached them.
func (c coverage) close(i int) coverage {
	if i+1 < len(c) && c.near(i) {
		c = c.join(i)
	}
	if i > 0 && c.near(i-1) {
		c = c.join(i - 1)
	}
	return c
}

// join makes one of a stretch and the next.
func (c coverage) join(i int) coverage {
	c[i].To = max(c[i].To, c[i+1].To)
	return slices.Delete(c, i+1, i+2)
}

// overlaps reports whether some of the readings may have a time of t.
func (c coverage) overlaps(t times) bool {
	return slices.ContainsFunc(c, t.overlaps)
}

// whole is from the first to the last.
func (c coverage) whole() times {
	if len(c) == 0 {
		return times{}
	}
	return times{c[0].From, c[len(c)-1].To}
}
