package validate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// The sides, as indexes.
const (
	expected = 0
	observed = 1
)

// pass reads a slice of both sides, and counts. It returns errTooMuch when the
// slice has more cells than may be held; the tallies then tell how many tags there
// are at least.
func (r *run) pass(ctx context.Context, s slice) (*[2]*tally, error) {
	var tallies [2]*tally
	for i := range tallies {
		tallies[i] = &tally{
			slice: s, hasher: hasher{rules: r.rules, key: r.key}, window: int64(r.Window), device: r.Device,
			seed: r.seed, most: r.MaxCells, series: map[tag]*series{}, readings: make([]int64, s.n),
			doubts: r.newDoubts(s.first, s.n),
		}
	}
	err := r.both(ctx, func(ctx context.Context, side int) error {
		return r.read(ctx, side, r.query(s.first, s.n), tallies[side].page)
	})
	return &tallies, err
}

func (r *run) newDoubts(first, n int64) *doubts {
	q := r.query(first, n)
	return &doubts{all: span{q.From.UnixNano(), q.To.UnixNano()}, seen: map[string]bool{}}
}

// both does something with both sides at a time. That more than memory is permitted
// for comes before other errors, which may follow from it.
func (r *run) both(ctx context.Context, do func(ctx context.Context, side int) error) error {
	g, within := errgroup.WithContext(ctx)
	var errs [2]error
	for side := range errs {
		g.Go(func() error {
			errs[side] = do(within, side)
			return errs[side]
		})
	}
	err := g.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("validate: %w", cause)
	}
	for _, e := range errs {
		if errors.Is(e, errTooMuch) {
			return errTooMuch
		}
	}
	return err
}

// read reads a side. An error names it.
func (r *run) read(ctx context.Context, side int, q Query, take func(*Page) error) error {
	var refused error
	err := r.sides[side].Read(ctx, q, func(p Page) error {
		if refused == nil { // or else the side should not have gone on
			refused = ctx.Err()
		}
		if refused == nil {
			refused = take(&p)
		}
		return refused
	})
	if errors.Is(refused, errTooMuch) {
		return errTooMuch
	}
	if err == nil { // whatever the side makes of an error of take
		err = refused
	}
	if err == nil {
		return nil
	}
	what := ""
	if q.Device != "" {
		what = fmt.Sprintf(" of device %s", q.Device)
	}
	return fmt.Errorf("validate: reading the %s %s%s from %s to %s: %w", r.called(side), r.sides[side], what,
		q.From.Format(time.RFC3339Nano), q.To.Format(time.RFC3339Nano), err)
}

func (r *run) called(side int) string {
	if side == expected {
		return "expectation " + r.ExpectName
	}
	return "observation " + r.ObserveName
}

// query returns the query for whole windows.
func (r *run) query(first, n int64) Query {
	w := int64(r.Window)
	return Query{Device: r.Device, From: time.Unix(0, first*w).UTC(), To: time.Unix(0, (first+n)*w).UTC()}
}

// compare compares a slice, and adds what it finds.
func (r *run) compare(ctx context.Context, s slice, judged bool) (tags int, err error) {
	tallies, err := r.pass(ctx, s)
	if err != nil {
		return max(len(tallies[expected].series), len(tallies[observed].series)), err
	}
	e, o := tallies[expected], tallies[observed]
	r.Findings.Latencies.merge(&o.latency, o.longest)
	r.doubts = [2]*doubts{e.doubts, o.doubts}
	var suspects []suspect
	for name, se := range e.series {
		so := o.series[name]
		if so == nil {
			so = &series{}
		}
		suspects = r.weigh(suspects, se, so, s, judged)
	}
	tags = len(e.series)
	for name, so := range o.series {
		if e.series[name] == nil {
			tags++
			suspects = r.weigh(suspects, &series{tag: name, site: so.site}, so, s, judged)
		}
	}
	if len(suspects) > 0 {
		r.say("comparing", s.first)
	}
	if err := r.descend(ctx, suspects, s, [2][]int64{e.readings, o.readings}); err != nil {
		return tags, err
	}
	for side, d := range r.doubts {
		r.Findings.Unreadable[side].merge(d)
	}
	return tags, nil
}

// weigh adds the windows of a tag in which both sides are equal to the findings, and
// returns the others.
func (r *run) weigh(suspects []suspect, se, so *series, s slice, judged bool) []suspect {
	d := r.Findings.device(se.device, se.site)
	var none cell
	for w := range max(len(se.cells), len(so.cells)) {
		e, o := &none, &none
		if w < len(se.cells) {
			e = &se.cells[w]
		}
		if w < len(so.cells) {
			o = &so.cells[w]
		}
		if e.count == 0 && o.count == 0 {
			continue
		}
		window := s.first + int64(w)
		c := Counts{Expected: e.count, Observed: o.count}
		switch {
		case !judged:
			c.Undecided = e.count
		case e.count == o.count && e.sum == o.sum:
			c.Matched, c.Late, c.OutOfOrder = e.count, o.late, o.disorder
		default:
			suspects = append(suspects, suspect{tag: se.tag, device: d, window: window, expected: e.count, observed: o.count, sum: e.sum})
			continue
		}
		r.Findings.add(d, se.tag, window, &c)
	}
	return suspects
}
