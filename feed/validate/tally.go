package validate

import (
	"errors"
	"hash/maphash"
	"strings"
	"time"
)

// tag is a tag of a device.
type tag struct{ device, tag string }

// slice is what is compared in one pass: windows, and of these the tags that fall
// into a shard when a single window has too many.
type slice struct {
	first, n      int64 // windows, counted from 1970 on
	shard, shards uint64
}

// cell is what one side has in a window of a tag. The readings themselves are not
// kept.
type cell struct {
	count    int64
	sum      digest
	latest   int64 // time, of those handed out so far
	disorder int64 // readings that came behind a later one
	late     int64
}

// series are the windows of a tag.
type series struct {
	tag
	site  string
	cells []cell // from the first window of the slice on
}

// errTooMuch ends a read of more than may be held.
var errTooMuch = errors.New("validate: more than memory is permitted for")

// tally counts one side of a slice. It is for one goroutine.
type tally struct {
	slice
	hasher
	window int64 // its length
	device string
	seed   maphash.Seed
	most   int // cells

	series   map[tag]*series
	cells    int     // that are held
	readings []int64 // by window
	doubts   *doubts
	latency  [buckets]int64
	longest  int64
}

func (t *tally) page(p *Page) error {
	for i := range p.Records {
		if err := t.add(&p.Records[i]); err != nil {
			return err
		}
	}
	t.doubts.add(p.Unreadable)
	return nil
}

func (t *tally) add(r *Record) error {
	w := floorDiv(r.Time, t.window) - t.first
	if w < 0 || w >= t.n || t.device != "" && t.device != r.Device {
		return nil
	}
	name := tag{r.Device, r.Tag}
	if t.shards > 1 && maphash.Comparable(t.seed, name)%t.shards != t.shard {
		return nil
	}
	s := t.series[name]
	if s == nil {
		s = &series{tag: tag{strings.Clone(name.device), strings.Clone(name.tag)}, site: strings.Clone(r.Site)}
		t.series[s.tag] = s
	}
	if w >= int64(len(s.cells)) {
		if err := t.grow(s, w); err != nil {
			return err
		}
	}
	c := &s.cells[w]
	if c.count == 0 || r.Time > c.latest {
		c.latest = r.Time
	} else if r.Time < c.latest && t.ordered {
		c.disorder++
	}
	c.count++
	c.sum = c.sum.plus(t.of(&r.Reading))
	t.readings[w]++
	if r.Arrived != 0 && t.arrival {
		took := r.Arrived - r.Time
		if t.isLate(took) {
			c.late++
		}
		t.latency[bucket(took)]++
		t.longest = max(t.longest, took)
	}
	return nil
}

// isLate says whether it took a reading too long to arrive.
func (r *rules) isLate(took int64) bool { return r.Late > 0 && took > int64(r.Late) }

// grow makes room for a window, and for as many again, so that readings in the order
// of time do not do it for each window.
func (t *tally) grow(s *series, w int64) error {
	n := min(max(w+1, 2*int64(len(s.cells))), t.n)
	t.cells += int(n) - len(s.cells)
	if t.cells > t.most {
		return errTooMuch
	}
	cells := make([]cell, n)
	copy(cells, s.cells)
	s.cells = cells
	return nil
}

// nanos returns a time in nanoseconds since 1970, and the nearest that there is when
// it is outside of what they hold.
func nanos(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return earliest.UnixNano()
	case t.After(latest):
		return latest.UnixNano()
	}
	return t.UnixNano()
}

var (
	earliest = time.Date(1678, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)
