package validate_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// standing returns readings of a device whose clock stands.
func standing(n int, value func(i int) reading.Value) []validate.Record {
	records := plant(1, 1, n, time.Hour)
	for i := range records {
		records[i].Time, records[i].Value = records[0].Time, value(i)
	}
	return records
}

// TestClockThatStands: many readings that are known by the same are not compared each
// with each: the time grows with their number.
func TestClockThatStands(t *testing.T) {
	const n = 50_000
	truth := standing(n, func(i int) reading.Value { return reading.OfFloat(float64(i) + .5) })
	near := standing(n/2, func(i int) reading.Value { return reading.OfFloat(float64(i) + .25) })
	for _, tt := range []struct {
		tolerance float64
		told      []validate.Record
		want      validate.Counts
	}{
		{0, nil, validate.Counts{Missing: n}},
		{0, near, validate.Counts{Altered: n / 2, Missing: n / 2}},
		{.25, near, validate.Counts{Matched: n / 2, Missing: n / 2}},
		{.1, near, validate.Counts{Altered: n / 2, Missing: n / 2}},
	} {
		p := job(truth, tt.told, 1)
		p.Rules.Ignore, p.Rules.Tolerance.Absolute = []validate.Field{validate.FieldSeq}, tt.tolerance
		res, err := validate.Run(t.Context(), p.Job)
		if err != nil {
			t.Fatal(err)
		}
		tt.want.Expected, tt.want.Observed = n, int64(len(tt.told))
		if res.Counts != tt.want {
			t.Errorf("tolerance %v: counts\n%+v, want\n%+v", tt.tolerance, res.Counts, tt.want)
		}
	}
}

// TestCancelledComparisonEnds: while readings are at hand, and not only with the next
// read.
func TestCancelledComparisonEnds(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("a signal")
	truth := plant(1, 1, 1000, time.Hour)
	p := job(truth, nil, 1)
	p.Rules.Ignore = []validate.Field{validate.FieldSeq}
	told := 0
	p.Discrepancy = func(validate.Discrepancy) error {
		told++
		cancel(gone)
		return nil
	}
	if _, err := validate.Run(ctx, p.Job); !errors.Is(err, gone) || told != 1 {
		t.Errorf("error %v, after %d discrepancies", err, told)
	}
}

// TestAsManyAsPossibleAreNear: of readings with one time as many are paired as a search
// through all pairings finds.
func TestAsManyAsPossibleAreNear(t *testing.T) {
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 3))
		const by = .3
		some := func() []validate.Record {
			return standing(1+rnd.IntN(12), func(int) reading.Value { return reading.OfFloat(.1 + float64(rnd.IntN(25))*.15) })
		}
		e, o := some(), some()
		p := job(e, o, 1)
		p.Rules.Ignore, p.Rules.Tolerance.Absolute = []validate.Field{validate.FieldSeq}, by
		res, _ := run(t, p)
		// Equal readings are paired first, and the others within the tolerance.
		matched := int64(0)
		for i := 0; i < len(e); i++ {
			same := func(r validate.Record) bool { return r.Value == e[i].Value }
			if j := slices.IndexFunc(o, same); j >= 0 {
				matched++
				e, o = slices.Delete(e, i, i+1), slices.Delete(o, j, j+1)
				i--
			}
		}
		partner := make([]int, len(o))
		for i := range partner {
			partner[i] = -1
		}
		var find func(i int, seen []bool) bool
		find = func(i int, seen []bool) bool {
			for j := range o {
				if seen[j] || math.Abs(e[i].Value.Float()-o[j].Value.Float()) > by {
					continue
				}
				seen[j] = true
				if partner[j] < 0 || find(partner[j], seen) {
					partner[j] = i
					return true
				}
			}
			return false
		}
		for i := range e {
			if find(i, make([]bool, len(o))) {
				matched++
			}
		}
		if res.Counts.Matched != matched {
			t.Errorf("seed %d: %+v, want %d matched", seed, res.Counts, matched)
		}
	}
}
