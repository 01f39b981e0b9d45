package validator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// side is what the store holds, as an observation. It is for concurrent use.
type side struct {
	store  *store
	closed atomic.Bool

	objects, bytes, handed atomic.Int64
}

var _ validate.Side = (*side)(nil)

var errClosedSide = errors.New("the observation is closed")

// pageSize is how many readings are handed out at least, unless there are no more.
const pageSize = 4096

// String implements [validate.Side].
func (v *side) String() string { return v.store.dir }

// Traits implements [validate.Side].
func (v *side) Traits() validate.Traits {
	return validate.Traits{Ordered: true, Arrival: true, Identity: v.store.dir}
}

// Costs implements [validate.Side].
func (v *side) Costs() validate.Costs {
	return validate.Costs{Objects: v.objects.Load(), Bytes: v.bytes.Load(), Readings: v.handed.Load()}
}

// Close implements [validate.Side]. The store stays open.
func (v *side) Close() error {
	v.closed.Store(true)
	return nil
}

// Read implements [validate.Side]: in the order of arrival.
func (v *side) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	v.store.reading.RLock()
	defer v.store.reading.RUnlock()
	r := &read{side: v, ctx: ctx, query: q, take: take}
	if err := r.may(); err != nil {
		return err
	}
	first, last, ok := q.Times()
	if !ok {
		return nil
	}
	r.times = times{first, min(last, math.MaxInt64-1) + 1} // a reading is of 1678 to 2261
	segments, _ := v.store.snapshot()
	for i := range segments {
		if g := &segments[i]; g.Covers.overlaps(r.times) || g.Covers == nil {
			if err := r.segment(g); err != nil {
				return err
			}
		}
	}
	return r.hand()
}

// read is a call of Read.
type read struct {
	*side
	ctx   context.Context
	query validate.Query
	times times
	take  func(validate.Page) error

	readings []reading.Reading // of a block
	page     validate.Page
}

func (r *read) may() error {
	if r.closed.Load() {
		return errClosedSide
	}
	return r.ctx.Err()
}

func (r *read) segment(g *segment) error {
	name := segmentName(g.Number)
	f, err := os.Open(filepath.Join(r.store.dir, name))
	if err != nil {
		return err
	}
	defer f.Close()
	r.objects.Add(1)
	for s := scan(f, 0, g.Size); ; {
		bad, err := s.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", f.Name(), err)
		case bad != nil:
			r.unreadable(name, fmt.Errorf("bytes %d to %d: %w", bad.from, bad.to, bad.err), times{})
			continue
		}
		if !s.covers.overlaps(r.times) {
			err = s.skip()
		} else {
			err = r.block(name, s)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Name(), err)
		}
	}
}

// block takes what the query means of a block.
func (r *read) block(name string, s *scanner) error {
	body, err := s.read()
	if err != nil {
		return err
	}
	r.bytes.Add(s.at - s.start)
	if r.readings, err = s.readings(r.readings[:0], body); err != nil {
		r.unreadable(name, fmt.Errorf("byte %d: %w", s.start, err), s.covers.whole())
		return nil
	}
	for i := range r.readings {
		x := &r.readings[i]
		if !r.times.contains(x.Time) || r.query.Device != "" && r.query.Device != x.Device || r.query.Tag != "" && r.query.Tag != x.Tag {
			continue
		}
		r.page.Records = append(r.page.Records, validate.Record{
			Reading: *x, Arrived: s.arrived, Place: validate.Place{Object: name, Position: s.first + int64(i)},
		})
	}
	if len(r.page.Records) < pageSize {
		return r.may()
	}
	return r.hand()
}

func (r *read) unreadable(name string, err error, t times) {
	u := validate.Unreadable{Place: validate.Place{Object: name}, Err: err}
	if t != (times{}) {
		u.From, u.To = t.bounds()
	}
	r.page.Unreadable = append(r.page.Unreadable, u)
}

// hand hands out the page, unless it is empty.
func (r *read) hand() error {
	if err := r.may(); err != nil {
		return err
	}
	if len(r.page.Records)+len(r.page.Unreadable) == 0 {
		return nil
	}
	r.handed.Add(int64(len(r.page.Records)))
	err := r.take(r.page)
	r.page.Records, r.page.Unreadable = r.page.Records[:0], nil
	return err
}
