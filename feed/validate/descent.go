package validate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// suspect is a window of a tag that differs. How many readings it had when it was
// counted tells what reading it again takes.
type suspect struct {
	tag
	device             *lifeline
	window             int64
	expected, observed int64
	sum                digest // of what was expected
}

// weight is how many readings it takes the room of.
func (s *suspect) weight() int64 { return s.expected + s.observed + 1 }

// held is a reading that is compared one by one.
type held struct {
	Record
	time     int64 // rounded
	digest   digest
	disorder bool // it came behind a later one
}

// weight is how many readings it counts as: a long text takes the place of several.
func (h *held) weight() int64 { return 1 + int64(len(h.Value.Text())/256) }

// doubtful is a suspect whose readings are at hand.
type doubtful struct {
	*open
	sides  [2][]held
	begun  bool  // something was observed
	latest int64 // time, of that
	// part is what was expected of the part at hand, all what was of those before.
	part, all cell
}

// descent reads the suspects of a slice again.
type descent struct {
	*run
	slice
	readings [2][]int64 // of each side, by window, when they were counted
	budget   int64      // readings of a group
}

// group is what is read again at a time.
type group struct {
	suspects []suspect
	list     []*doubtful
	windows  map[tag]map[int64]*doubtful
	// part of parts is held, by sequence number: all that may be one reading falls
	// into the same.
	part, parts uint64
	most        int64 // may be held
	held        atomic.Int64
}

// descend reads the suspects again, reading by reading, in groups that memory is
// permitted for. The windows stand in the order of time, so that groups hardly
// overlap.
func (r *run) descend(ctx context.Context, suspects []suspect, s slice, readings [2][]int64) error {
	slices.SortFunc(suspects, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(a.window, b.window), strings.Compare(a.tag.device, b.tag.device), strings.Compare(a.tag.tag, b.tag.tag))
	})
	// The other half of what is permitted waits for what it belongs to.
	d := &descent{run: r, slice: s, readings: readings, budget: int64(max(r.MaxRecords/2, 1))}
	for len(suspects) > 0 {
		n, sum := 0, int64(0)
		for n < len(suspects) && (n == 0 || sum+suspects[n].weight() <= d.budget) {
			sum += suspects[n].weight()
			n++
		}
		if err := d.resolve(ctx, suspects[:n], uint64((sum+d.budget-1)/d.budget)); err != nil {
			return err
		}
		suspects = suspects[n:]
	}
	return nil
}

// resolve compares a group, in parts when it is a single window that is too large.
// Several windows with more readings than when they were counted are divided.
func (d *descent) resolve(ctx context.Context, suspects []suspect, parts uint64) error {
	g := &group{suspects: suspects, windows: map[tag]map[int64]*doubtful{}, most: 2*d.budget + 100}
	for _, c := range suspects {
		w := &doubtful{open: &open{tag: c.tag, device: c.device, Window: c.window}}
		g.list = append(g.list, w)
		if g.windows[c.tag] == nil {
			g.windows[c.tag] = map[int64]*doubtful{}
		}
		g.windows[c.tag][c.window] = w
	}
	for part := range parts {
		err := d.part(ctx, g, part, parts)
		if half := len(suspects) / 2; errors.Is(err, errTooMuch) {
			if err := d.resolve(ctx, suspects[:half], 1); err != nil {
				return err
			}
			return d.resolve(ctx, suspects[half:], 1)
		}
		if err != nil {
			return err
		}
	}
	for i, w := range g.list {
		d.steady(&suspects[i], w)
		d.close(w.open)
	}
	return nil
}

// steady holds the expectation to what it told first. What it does not tell any more
// was not compared: it is undecided.
func (d *descent) steady(s *suspect, w *doubtful) {
	if w.all.count == s.expected && w.all.sum == s.sum {
		return
	}
	d.Findings.Unsteady++
	if gone := s.expected - w.all.count; gone > 0 {
		w.Counts.Expected += gone
		w.Counts.Undecided += gone
	}
}

// part reads and compares a part of a group. That of a single window is divided when
// it is too large; of several windows that is returned as errTooMuch.
func (d *descent) part(ctx context.Context, g *group, part, parts uint64) error {
	g.part, g.parts = part, parts
	g.held.Store(0)
	for _, w := range g.list {
		w.sides, w.begun, w.latest, w.part = [2][]held{}, false, 0, cell{}
	}
	err := d.both(ctx, func(ctx context.Context, side int) error {
		h := &holder{group: g, hasher: hasher{rules: d.rules, key: d.key}, side: side, window: int64(d.Window), doubts: d.doubts[side], names: map[string]string{}}
		for _, q := range d.queries(side, g.suspects) {
			if err := d.read(ctx, side, q, h.page); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errTooMuch) && len(g.list) == 1 {
		if parts >= maxDivision {
			w := g.list[0]
			return fmt.Errorf("validate: tag %s of device %s, window of %s: its readings are more than memory is permitted for, or more and more: raise maxRecords (%d), or validate when nothing is added to that time any more",
				w.tag.tag, w.tag.device, d.query(w.Window, 1).From.Format(time.RFC3339), d.MaxRecords)
		}
		if err := d.part(ctx, g, part, 2*parts); err != nil {
			return err
		}
		return d.part(ctx, g, part+parts, 2*parts)
	}
	if err != nil {
		return err
	}
	for _, w := range g.list {
		if err := d.classify(ctx, w); err != nil {
			return err
		}
		w.all.count += w.part.count
		w.all.sum = w.all.sum.plus(w.part.sum)
	}
	return nil
}

// maxDivision is into how many parts a window is divided at most, each of which takes
// a read.
const maxDivision = 1 << 16

// maxStretches is into how many queries a group is divided at most where a short
// query costs as much as a long one.
const maxStretches = 8

// perPage is how many readings a request returns, about.
const perPage = 1000

// queries returns those that read a group again from a side.
func (d *descent) queries(side int, suspects []suspect) []Query {
	long := d.stretches(suspects)
	if !d.sides[side].Traits().Selective {
		return long
	}
	var all int64
	for _, q := range long {
		for w := floorDiv(q.From.UnixNano(), int64(d.Window)); w*int64(d.Window) < q.To.UnixNano(); w++ {
			all += d.readings[side][w-d.slice.first]
		}
	}
	// By tag instead, windows that follow each other in one.
	by := slices.Clone(suspects)
	slices.SortFunc(by, func(a, b suspect) int {
		return cmp.Or(strings.Compare(a.tag.device, b.tag.device), strings.Compare(a.tag.tag, b.tag.tag), cmp.Compare(a.window, b.window))
	})
	var short []Query
	for i, c := range by {
		q := d.query(c.window, 1)
		all -= [...]int64{c.expected, c.observed}[side] // what need not be read
		if i > 0 && by[i-1].tag == c.tag && by[i-1].window == c.window-1 {
			short[len(short)-1].To = q.To
			continue
		}
		q.Device, q.Tag = c.tag.device, c.tag.tag
		short = append(short, q)
	}
	if int64(len(long))+all/perPage < int64(len(short)) {
		return long
	}
	return short
}

// stretches returns queries for all that happened in the windows of suspects, which
// stand in the order of time; the longest times between them are left out.
func (r *run) stretches(suspects []suspect) []Query {
	device := suspects[0].tag.device
	var gaps []int64
	for i, c := range suspects {
		if c.tag.device != device {
			device = r.Device
		}
		if i > 0 && c.window > suspects[i-1].window+1 {
			gaps = append(gaps, c.window-suspects[i-1].window)
		}
	}
	slices.Sort(gaps)
	var queries []Query
	least := int64(2)
	if len(gaps) >= maxStretches {
		least = gaps[len(gaps)-maxStretches+1]
	}
	for i, c := range suspects {
		q := r.query(c.window, 1)
		if i > 0 && (c.window-suspects[i-1].window < least || len(queries) == maxStretches) {
			queries[len(queries)-1].To = q.To
			continue
		}
		q.Device = device
		queries = append(queries, q)
	}
	return queries
}

// holder takes what a side has of a group. It is for one goroutine.
type holder struct {
	*group
	hasher
	side   int
	window int64
	doubts *doubts
	names  map[string]string // one string for each name
}

func (h *holder) page(p *Page) error {
	for i := range p.Records {
		if err := h.hold(&p.Records[i]); err != nil {
			return err
		}
	}
	h.doubts.add(p.Unreadable)
	return nil
}

func (h *holder) hold(r *Record) error {
	windows := h.windows[tag{r.Device, r.Tag}]
	if windows == nil {
		return nil
	}
	d := windows[floorDiv(r.Time, h.window)]
	if d == nil {
		return nil
	}
	one := held{Record: *r, time: h.rules.time(r.Time)}
	if h.side == observed && h.ordered {
		one.disorder = d.begun && r.Time < d.latest
		d.begun, d.latest = true, max(d.latest, r.Time)
	}
	if known := r.Seq; h.parts > 1 {
		if !h.seq {
			known = uint64(one.time)
		}
		if mix(known)%h.parts != h.part {
			return nil
		}
	}
	if h.held.Add(one.weight()) > h.most {
		return errTooMuch
	}
	one.digest = h.of(&r.Reading)
	if h.side == expected {
		d.part.count++
		d.part.sum = d.part.sum.plus(one.digest)
	}
	one.Device, one.Tag = d.tag.device, d.tag.tag
	one.Site, one.Line, one.Quality = h.name(r.Site), h.name(r.Line), h.name(r.Quality)
	one.Place.Object = h.name(r.Place.Object)
	if text := r.Value.Text(); text != "" {
		one.Value = reading.OfText(strings.Clone(text))
	}
	d.sides[h.side] = append(d.sides[h.side], one)
	return nil
}

// name returns a copy of s that outlives the page, the same for all.
func (h *holder) name(s string) string {
	if known, ok := h.names[s]; ok {
		return known
	}
	s = strings.Clone(s)
	h.names[s] = s
	return s
}

// mix spreads numbers that follow each other.
func mix(x uint64) uint64 {
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	return x ^ x>>32
}
