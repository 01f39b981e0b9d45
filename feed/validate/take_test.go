package validate_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// onePage hands out pages of one reading each.
type onePage struct {
	*memory
	// between is called after each page, with what take has returned; what it returns
	// ends the read, and is returned.
	between func(n int, taken error) error
}

var errEnough = errors.New("enough")

func (o onePage) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	n := 0
	err := o.memory.Read(ctx, q, func(p validate.Page) error {
		for i := range p.Records {
			n++
			if err := o.between(n, take(validate.Page{Records: p.Records[i : i+1]})); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// TestErrorsOfTakeCount: whatever a side makes of it, what could not be taken is not
// taken for compared. With little memory take refuses pages, and the range is read in
// parts.
func TestErrorsOfTakeCount(t *testing.T) {
	told := plant(3, 2, 100, 4*time.Hour)
	first := told[0]
	var truth []validate.Record // of one tag, so that only the observation is too much
	for _, r := range told {
		if r.Device == first.Device && r.Tag == first.Tag {
			truth = append(truth, r)
		}
	}
	told = append(told[1:], first) // which has its place in the sums when others have none
	for name, between := range map[string]func(n int, taken error) error{
		"returns it":          func(_ int, taken error) error { return taken },
		"wraps it":            wrapped,
		"hides it":            hidden,
		"ends without it":     func(_ int, taken error) error { return map[bool]error{true: errEnough}[taken != nil] },
		"goes on, regardless": func(int, error) error { return nil },
	} {
		j := job(truth, told, 4)
		j.Observe, j.MaxCells = onePage{j.o, between}, 8
		res, err := validate.Run(t.Context(), j.Job)
		if err != nil {
			t.Errorf("a side that %s: %v", name, err)
			continue
		}
		if want := (validate.Counts{Expected: int64(len(truth)), Observed: int64(len(told)), Matched: int64(len(truth)), Extra: int64(len(told) - len(truth))}); res.Counts != want || res.Outcome != validate.Discrepant {
			t.Errorf("a side that %s: %s, %+v, want %+v", name, res.Outcome, res.Counts, want)
		}
	}
}

func wrapped(n int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading %d: %w", n, err)
}

func hidden(n int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("reading %d: the reader has had enough", n)
}

// TestReadThatBreaksOff: an observation that fails when a part of it has been taken, be
// it in the first pass or where readings are compared, makes no result of that part.
func TestReadThatBreaksOff(t *testing.T) {
	truth := plant(3, 2, 100, 4*time.Hour)
	told := slices.Concat(truth[:50], truth[51:])
	broken := errors.New("the connection was lost")
	for pass := 1; pass <= 2; pass++ {
		for _, at := range []int{1, 40, len(told)} {
			j := job(truth, told, 4)
			j.o.Has.Selective = false
			reads := 0
			j.o.onRead = func(n int, _ validate.Query) error { reads = n; return nil }
			j.Observe = onePage{j.o, func(n int, taken error) error {
				if reads == pass && n == min(at, map[int]int{1: len(told), 2: 20}[pass]) {
					return broken
				}
				return taken
			}}
			res, err := validate.Run(t.Context(), j.Job)
			if res != nil || !errors.Is(err, broken) || reads != pass {
				t.Errorf("read %d breaks off at reading %d: %d reads, result %v, error %v", pass, at, reads, res, err)
			}
		}
	}
}
