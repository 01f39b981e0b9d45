package validate

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// classify compares the readings of a window one by one. What has no counterpart
// there waits for one in another window.
func (r *run) classify(ctx context.Context, d *doubtful) error {
	e, o := d.sides[expected], d.sides[observed]
	d.Counts.Expected += int64(len(e))
	d.Counts.Observed += int64(len(o))
	// What is identical stands together; of observed copies the one that came first
	// stands first.
	slices.SortFunc(e, func(a, b held) int {
		return cmp.Or(r.identity(&a, &b), a.digest.compare(b.digest), order(a.Time, b.Time), order(a.Seq, b.Seq))
	})
	slices.SortStableFunc(o, func(a, b held) int {
		return cmp.Or(r.identity(&a, &b), a.digest.compare(b.digest), order(a.Arrived, b.Arrived))
	})
	for len(e) > 0 || len(o) > 0 {
		if cause := context.Cause(ctx); cause != nil {
			return fmt.Errorf("validate: %w", cause)
		}
		first := e
		if len(e) == 0 || len(o) > 0 && r.identity(&o[0], &e[0]) < 0 {
			first = o
		}
		ne, no := r.alike(e, &first[0]), r.alike(o, &first[0])
		if err := r.match(d, e[:ne], o[:no]); err != nil {
			return err
		}
		e, o = e[ne:], o[no:]
	}
	return nil
}

// identity orders readings of a tag by what they are known by.
func (r *run) identity(a, b *held) int {
	c := order(a.time, b.time)
	if c == 0 && r.seq {
		c = order(a.Seq, b.Seq)
	}
	return c
}

// alike returns how many of the first are known by the same.
func (r *run) alike(list []held, as *held) int {
	n := 0
	for n < len(list) && r.identity(&list[n], as) == 0 {
		n++
	}
	return n
}

// match compares readings that are known by the same: usually one of each side.
func (r *run) match(d *doubtful, e, o []held) error {
	if len(e) == 1 && len(o) == 1 && e[0].digest == o[0].digest {
		r.matched(d, &o[0])
		return nil
	}
	var u unpaired
	for len(e) > 0 || len(o) > 0 {
		first := e
		if len(e) == 0 || len(o) > 0 && o[0].digest.compare(e[0].digest) < 0 {
			first = o
		}
		ne, no := equal(e, first[0].digest), equal(o, first[0].digest)
		r.pair(d, e[:ne], o[:no], &u)
		e, o = e[ne:], o[no:]
	}
	r.tolerate(d, &u)
	d.Counts.Repeated += int64(len(u.copies))
	d.Counts.Duplicate += int64(len(u.duplicates))
	for _, c := range u.duplicates {
		if err := r.discrepancy(Duplicate, d.tag, nil, nil, c); err != nil {
			return err
		}
	}
	restE, restO := u.e, u.o
	for i := range min(len(restE), len(restO)) {
		d.Counts.received(r.rules, restO[i])
		d.Counts.Altered++
		if err := r.discrepancy(Altered, d.tag, r.differences(&restE[i].Reading, &restO[i].Reading), restE[i], restO[i]); err != nil {
			return err
		}
	}
	n := min(len(restE), len(restO))
	for _, e := range restE[n:] {
		if err := r.wait(&leftover{held: *e, window: d.open, missing: true, doubt: r.doubts[observed].at(e.Time)}); err != nil {
			return err
		}
	}
	for _, o := range restO[n:] {
		if err := r.wait(&leftover{held: *o, window: d.open, doubt: r.doubts[expected].at(o.Time)}); err != nil {
			return err
		}
	}
	return nil
}

// unpaired are readings that are known by the same.
type unpaired struct {
	e, o []*held // without a counterpart
	// copies are identical to one that is expected and has a counterpart or is in e.
	copies []*held
	// duplicates say the same as one that was observed and is in pairs or in o.
	duplicates []*held
	pairs      []*held // observed, with a counterpart
}

// equal returns how many of the first have a digest.
func equal(list []held, as digest) int {
	n := 0
	for n < len(list) && list[n].digest == as {
		n++
	}
	return n
}

// moment is the time and number that a reading was told with, whatever is compared
// of them.
type moment struct {
	time int64
	seq  uint64
}

func (h *held) moment() moment { return moment{h.Time, h.Seq} }

// pair pairs readings that say the same by the rules. Where more are expected than
// were observed, the rules may take different readings for one: only those that were
// told with the same time and number are copies. Readings of whose moment one was
// observed have a counterpart first, copies last.
func (r *run) pair(d *doubtful, e, o []held, u *unpaired) {
	n := min(len(e), len(o))
	observed := map[moment]bool{}
	for i := range o {
		switch {
		case i < n:
		case i == 0:
			u.o = append(u.o, &o[i])
			continue
		default:
			u.duplicates = append(u.duplicates, &o[i])
			continue
		}
		r.matched(d, &o[i])
		u.pairs = append(u.pairs, &o[i])
		if n < len(e) {
			observed[o[i].moment()] = true
		}
	}
	if n == len(e) {
		return
	}
	var same, other, copies []*held
	for i := range e {
		switch m := e[i].moment(); {
		case i > 0 && m == e[i-1].moment():
			copies = append(copies, &e[i])
		case observed[m]:
			same = append(same, &e[i])
		default:
			other = append(other, &e[i])
		}
	}
	news := slices.Concat(same, other)
	k := min(n, len(news))
	u.e = append(u.e, news[k:]...)
	u.copies = append(u.copies, copies[n-k:]...)
}

// matched counts a reading that is as it should be.
func (r *run) matched(d *doubtful, o *held) {
	d.Counts.Matched++
	d.Counts.received(r.rules, o)
}

// received counts how a reading came that was expected.
func (c *Counts) received(r *rules, o *held) {
	if o.disorder {
		c.OutOfOrder++
	}
	if o.Arrived != 0 && r.arrival && r.isLate(o.Arrived-o.Record.Time) {
		c.Late++
	}
}

// discrepancy tells of one: e and o are what the sides say, nil for nothing.
func (r *run) discrepancy(v Verdict, of tag, fields []string, e, o *held) error {
	known := e
	if known == nil {
		known = o
	}
	d := Discrepancy{
		Verdict: v, Device: of.device, Tag: of.tag, Time: known.At(), Seq: known.Seq, Fields: fields,
		Expected: said(e), Observed: said(o),
	}
	r.Findings.Discrepancies.add(d)
	if r.Discrepancy != nil {
		return r.Discrepancy(d)
	}
	return nil
}

// maxSaid is how much of a value is told.
const maxSaid = 1000

func said(h *held) *Said {
	if h == nil {
		return nil
	}
	s := &Said{Site: h.Site, Line: h.Line, Time: h.At(), Quality: h.Quality, Place: h.Place.String(), Text: valueText(h.Value)}
	if h.Arrived != 0 {
		s.Arrived = time.Unix(0, h.Arrived).UTC()
	}
	return s
}

func valueText(v reading.Value) string {
	text := string(v.AppendJSON(nil))
	if len(text) <= maxSaid {
		return text
	}
	end := maxSaid
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
