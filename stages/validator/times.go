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

func (t times) contains(at int64) bool    { return t.From <= at && at < t.To }
func (t times) overlaps(other times) bool { return t.From < other.To && other.From < t.To }
func (t times) bounds() (from, to time.Time) {
	return time.Unix(0, t.From).UTC(), time.Unix(0, t.To).UTC()
}

// coverage is which times some readings have: stretches in order with gaps between
// them. It may say more than there is, never less.
type coverage []times

const (
	// gap is what parts two stretches of a coverage.
	gap = int64(time.Minute)
	// maxStretches bounds a coverage: beyond it the narrowest gaps are closed.
	maxStretches = 16
)

// add covers a time.
func (c coverage) add(at int64) coverage {
	for i := len(c) - 1; i >= 0; i-- { // most are near the last
		if t := &c[i]; at >= t.From-gap && at < t.To+gap { // which cannot overflow: a reading is of 1678 to 2261
			t.From, t.To = min(t.From, at), max(t.To, at+1)
			return c.close(i)
		}
	}
	return c.insert(times{at, at + 1})
}

// merge covers what another one does.
func (c coverage) merge(other coverage) coverage {
	for _, t := range other {
		c = c.insert(t)
	}
	return c
}

// insert adds a stretch, and closes gaps that are too narrow, or too many.
func (c coverage) insert(t times) coverage {
	i, _ := slices.BinarySearchFunc(c, t, func(a, b times) int { return cmp.Compare(a.From, b.From) })
	c = slices.Insert(c, i, t)
	for i := 0; i+1 < len(c); {
		if c[i+1].From-c[i].To < gap {
			c = c.join(i)
			continue
		}
		i++
	}
	for len(c) > maxStretches {
		narrowest := 0
		for i := range c[:len(c)-1] {
			if c[i+1].From-c[i].To < c[narrowest+1].From-c[narrowest].To {
				narrowest = i
			}
		}
		c = c.join(narrowest)
	}
	return c
}

// close joins a stretch that has grown with its neighbours, if it has reached them.
func (c coverage) close(i int) coverage {
	if i+1 < len(c) && c[i+1].From-c[i].To < gap {
		c = c.join(i)
	}
	if i > 0 && c[i].From-c[i-1].To < gap {
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
