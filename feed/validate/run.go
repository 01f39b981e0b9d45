package validate

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"time"
)

// Job is a comparison to be made.
type Job struct {
	Options
	Expect  Expectation
	Observe Side
	// ExpectName and ObserveName are the names of the stages, for the report.
	ExpectName, ObserveName string

	Device string // "": all
	// From is the first time, To the first one beyond: both are moved outward to
	// whole windows.
	From, To time.Time

	// State is a file that keeps what was found so far: a run of the same job goes
	// on where an earlier one was interrupted. It is removed when a run ends, unless
	// there are windows that wait for the watermark and nothing is wrong or open
	// before them: then another run reads only these. A run whose watermark is lower
	// than that of an earlier one begins anew. "" keeps nothing.
	State string
	// Anew begins anew whatever a run of this or of another job has kept in State, and
	// replaces it. A file that is no state is refused all the same.
	Anew bool
	// Progress, when not nil, is called now and then, one call at a time.
	Progress func(Progress)
	// Discrepancy, when not nil, gets each discrepancy that is found, also those
	// that the result does not list, one call at a time. Its error ends the run.
	// What an earlier run found, with the same State, it got in that run.
	Discrepancy func(Discrepancy) error
	// Resume, when not nil, is called once, before Discrepancy, with how many of the
	// discrepancies that Discrepancy got in earlier runs of State stand: all further
	// ones come again. Its error ends the run.
	Resume func(stand int64) error
	// Keep, when not nil, is called before State keeps what was found so far: what
	// Discrepancy got must then be durable. Its error ends the run.
	Keep   func() error
	Logger *slog.Logger // nil logs nothing
}

// Progress says how far a run has come.
type Progress struct {
	From, Reached, To time.Time // the range, and up to where it is done
	Phase             string    // reading, comparing
	Expected          Costs     // so far
	Observed          Costs
	Counts            Counts // of what is done
}

// Run compares. It blocks until all is compared. An error means that the
// comparison could not be made; what is wrong with the readings is in the result.
//
// What it holds in memory is bounded by MaxCells and MaxRecords of the options,
// whatever the range is, and about 10 kB for each device.
func Run(ctx context.Context, j Job) (*Result, error) {
	r, blind, err := newRun(j)
	if err != nil {
		return nil, err
	}
	stop := r.tell()
	defer stop()
	return r.all(ctx, blind)
}

// run is a comparison that is made.
type run struct {
	Job
	*rules
	sides       [2]Side
	first, last int64 // windows, last being the first one beyond
	key         key
	seed        maphash.Seed
	started     time.Time
	before      [2]Costs // what the sides had read before
	log         *slog.Logger

	snapshot
	kept    bool // State is a state, not anything else
	pending *pending
	doubts  [2]*doubts // of the slice at hand
	progress
}

func newRun(j Job) (*run, []string, error) {
	if err := j.Options.Validate(); err != nil {
		return nil, nil, fmt.Errorf("validate: %w", err)
	}
	if j.Expect == nil || j.Observe == nil {
		return nil, nil, errors.New("validate: an expectation and an observation are needed")
	}
	if j.From.Before(earliest) || j.To.After(latest) || !j.From.Before(j.To) {
		return nil, nil, fmt.Errorf("validate: the range from %s to %s: give a time between %d and %d and a later one", j.From, j.To, earliest.Year(), latest.Year())
	}
	rules, blind, err := makeRules(j.Options, j.Expect.Traits(), j.Observe.Traits())
	if err != nil {
		return nil, nil, err
	}
	w := int64(j.Window)
	r := &run{
		Job: j, rules: rules, sides: [2]Side{j.Expect, j.Observe}, key: newKey(), seed: maphash.MakeSeed(), log: j.Logger,
		first: floorDiv(j.From.UnixNano(), w), last: floorDiv(j.To.UnixNano()-1, w) + 1,
		started: time.Now().UTC(), pending: newPending(), before: [2]Costs{j.Expect.Costs(), j.Observe.Costs()},
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	return r, blind, nil
}

func (r *run) all(ctx context.Context, blind []string) (*Result, error) {
	watermark, err := r.Expect.Watermark(ctx)
	if err != nil {
		return nil, fmt.Errorf("validate: asking the %s %s for its watermark: %w", r.called(expected), r.sides[expected], err)
	}
	if err := r.load(watermark); err != nil {
		return nil, err
	}
	if r.Resume != nil {
		if err := r.Resume(r.Findings.Discrepancies.total()); err != nil {
			return nil, err
		}
	}
	judged := r.judged(watermark)
	if err := r.slices(ctx, r.Reached, judged, true); err != nil {
		return nil, err
	}
	if err := r.giveUp(0); err != nil {
		return nil, err
	}
	// What is kept is of use only as long as it says nothing that a repair may have
	// made untrue meanwhile, or that is to be read again.
	f := r.Findings
	keep := judged < r.last && judged > r.first && f.Counts.Missing+f.Counts.Altered+f.Counts.Extra == 0 && !f.open()
	undecided := r.Findings.Counts.Undecided // for other reasons than the watermark
	if err := r.slices(ctx, max(r.Reached, judged), r.last, false); err != nil {
		return nil, err
	}
	waiting := r.Findings.Counts.Undecided - undecided
	r.say("comparing", r.last)
	after, err := r.Expect.Watermark(ctx)
	if err != nil {
		return nil, fmt.Errorf("validate: asking the %s %s for its watermark again: %w", r.called(expected), r.sides[expected], err)
	}
	if !keep || after.Before(watermark) {
		if err := r.forget(); err != nil {
			return nil, err
		}
	}
	res := r.result(watermark, after, judged, blind)
	res.Waiting = waiting
	return res, nil
}

// judged returns the first window that cannot be judged yet.
func (r *run) judged(watermark time.Time) int64 {
	if watermark.IsZero() {
		return r.first
	}
	return min(max(floorDiv(nanos(watermark.Add(-r.Lateness)), int64(r.Window)), r.first), r.last)
}

// slices compares windows in slices as long as memory permits.
func (r *run) slices(ctx context.Context, from, to int64, judged bool) error {
	n, shards := min(to-from, int64(r.MaxCells)), uint64(1)
	for from < to {
		r.say("reading", from)
		tags, err := 0, error(nil)
		if n > 1 {
			tags, err = r.compare(ctx, slice{first: from, n: n, shards: 1}, judged)
			if errors.Is(err, errTooMuch) {
				n = max(min(n/2, r.fit(tags)), 1)
				continue
			}
		} else {
			for shard := uint64(0); shard < shards && err == nil; shard++ {
				var more int
				more, err = r.shard(ctx, slice{first: from, n: 1, shard: shard, shards: shards}, judged)
				tags += more
			}
		}
		if err != nil {
			return err
		}
		from += n
		n, shards = min(max(r.fit(tags), 1), to-from), 1
		for n == 1 && int64(tags) > int64(shards)*int64(r.MaxCells) {
			shards *= 2
		}
		r.say("comparing", from)
		if judged {
			if err := r.save(from); err != nil {
				return err
			}
		}
	}
	return nil
}

// shard compares some tags of a single window, and halves of them when they are
// too many.
func (r *run) shard(ctx context.Context, s slice, judged bool) (tags int, err error) {
	tags, err = r.compare(ctx, s, judged)
	if !errors.Is(err, errTooMuch) {
		return tags, err
	}
	s.shards *= 2
	tags, err = r.shard(ctx, s, judged)
	if err != nil {
		return tags, err
	}
	s.shard += s.shards / 2
	more, err := r.shard(ctx, s, judged)
	return tags + more, err
}

// fit returns how many windows of a number of tags may be held, with room for some
// more.
func (r *run) fit(tags int) int64 {
	if tags == 0 {
		return int64(r.MaxCells)
	}
	return int64(r.MaxCells) * 3 / 4 / int64(tags)
}
