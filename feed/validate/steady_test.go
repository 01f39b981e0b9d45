package validate_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// fickle tells something else when it is read again.
type fickle struct {
	*memory
	again *memory
	read  bool
}

func (f *fickle) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	if f.read {
		return f.again.Read(ctx, q, take)
	}
	f.read = true
	return f.memory.Read(ctx, q, take)
}

func tellsAgain(first *memory, again []validate.Record) *fickle {
	f := &fickle{memory: first, again: &memory{}}
	f.again.Put(again...)
	return f
}

// TestExpectationThatChangesIsOpen: what the expectation told first and does not tell
// again was not compared.
func TestExpectationThatChangesIsOpen(t *testing.T) {
	truth := plant(2, 2, 120, 2*time.Hour) // 60 an hour and tag
	hour := start.Add(time.Hour).UnixNano()
	var second []validate.Record
	for _, r := range truth {
		if r.Time >= hour {
			second = append(second, r)
		}
	}
	lacking := slices.Clone(truth[8:])
	other := slices.Clone(lacking)
	other[0].Value = reading.OfText("corrected")
	holes := make([]validate.Record, 0, len(truth))
	for i, r := range truth {
		if r.Time >= hour || i%3 > 0 {
			holes = append(holes, r)
		}
	}
	for name, tt := range map[string]struct {
		told, again, toldAgain []validate.Record
		undecided              int64
		windows                string
	}{
		"it lacks what is missing": {lacking, lacking, lacking, 8, "of 4 windows when they were"},
		"it tells nothing":         {lacking, second, lacking, 240, "of 4 windows when they were"},
		"both tell nothing":        {holes, second, second, 240, "of 4 windows when they were"},
		"it tells something else":  {lacking, other, other, 8, "of 4 windows when they were"},
	} {
		for _, records := range []int{1_000_000, 10} { // whole windows, and parts of them
			p := job(truth, tt.told, 2)
			p.MaxRecords = records
			p.Expect = tellsAgain(p.e, tt.again)
			p.Observe = tellsAgain(p.o, tt.toldAgain)
			res, _ := run(t, p)
			if name == "it tells nothing" {
				if res.Outcome != validate.Discrepant || res.Counts.Undecided != tt.undecided || !says(res, tt.windows) {
					t.Errorf("%s, %d records: outcome %s, %+v, %q", name, records, res.Outcome, res.Counts, res.Reasons)
				}
				continue
			}
			if res.Outcome != validate.Open || res.Counts.Undecided != tt.undecided || res.Counts.Expected != int64(len(truth)) || !says(res, tt.windows) {
				t.Errorf("%s, %d records: outcome %s, %+v, %q", name, records, res.Outcome, res.Counts, res.Reasons)
			}
		}
	}
	// As many, but others; and more.
	for name, again := range map[string][]validate.Record{"others": append(slices.Clone(truth[1:]), truth[200]), "more": append(slices.Clone(truth), truth[200])} {
		told := slices.Clone(again)
		p := job(truth, told, 2)
		p.Expect = tellsAgain(p.e, again)
		if res, _ := run(t, p); res.Outcome != validate.Open || !says(res, "other readings of") {
			t.Errorf("%s: outcome %s, %+v, %q", name, res.Outcome, res.Counts, res.Reasons)
		}
	}
	// One that tells the same has nothing to answer for, whatever is wrong.
	if res, _ := run(t, job(truth, holes, 2)); says(res, "other readings of") || res.Counts.Undecided != 0 {
		t.Errorf("%q", res.Reasons)
	}
}
