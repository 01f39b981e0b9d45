package validate_test

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs a job, checks what holds for every result, and returns it together with
// all discrepancies.
func run(t *testing.T, p *pair) (*validate.Result, []validate.Discrepancy) {
	t.Helper()
	var all []validate.Discrepancy
	j := p.Job
	j.Discrepancy = func(d validate.Discrepancy) error {
		all = append(all, d)
		return nil
	}
	res, err := validate.Run(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	check := func(of string, c validate.Counts) { check(t, of, c, res.Verdicts[validate.Undecided] > 0) }
	check("the result", res.Counts)
	var sum validate.Counts
	var windows int64
	for _, n := range res.Verdicts {
		windows += n
	}
	if windows != res.Windows {
		t.Errorf("verdicts of %d windows, of %d", windows, res.Windows)
	}
	for _, d := range res.Devices {
		check(d.Device, d.Counts)
		sum.Expected += d.Expected
		sum.Observed += d.Observed
		var expected int64
		for _, p := range d.Parts {
			expected += p.Expected
		}
		if expected != d.Expected {
			t.Errorf("device %s: parts with %d expected readings, of %d", d.Device, expected, d.Expected)
		}
	}
	if res.OmittedDevices == 0 && (sum.Expected != res.Counts.Expected || sum.Observed != res.Counts.Observed) {
		t.Errorf("devices with %d and %d readings, of %d and %d", sum.Expected, sum.Observed, res.Counts.Expected, res.Counts.Observed)
	}
	for _, d := range all {
		for _, s := range []*validate.Said{d.Expected, d.Observed} {
			if s != nil && strings.Contains(s.Site+s.Line+s.Quality+s.Place, "#") {
				t.Errorf("what was overwritten is told: %+v", s)
			}
		}
	}
	for _, w := range res.Problems {
		check(w.Device+" "+w.Tag, w.Counts)
		if w.Verdict == validate.Matched {
			t.Errorf("a matched window among the problems: %+v", w)
		}
	}
	return res, all
}

// check holds counts against their two equations.
func check(t *testing.T, of string, c validate.Counts, undecided bool) {
	t.Helper()
	if c.Expected != c.Matched+c.Altered+c.Missing+c.Undecided+c.Repeated {
		t.Errorf("%s: what was expected does not add up: %+v", of, c)
	}
	if !undecided && c.Observed != c.Matched+c.Altered+c.Extra+c.Duplicate {
		t.Errorf("%s: what was observed does not add up: %+v", of, c)
	}
}

func TestEqualSidesAreProven(t *testing.T) {
	truth := plant(3, 4, 500, 5*time.Hour)
	copied := slices.Clone(truth)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(copied), func(i, j int) { copied[i], copied[j] = copied[j], copied[i] })
	j := job(truth, copied, 5)
	res, all := run(t, j)
	if res.Outcome != validate.Proven || len(res.Reasons) != 0 || len(all) != 0 {
		t.Fatalf("outcome %s for %q, with %d discrepancies", res.Outcome, res.Reasons, len(all))
	}
	if want := (validate.Counts{Expected: 6000, Observed: 6000, Matched: 6000}); res.Counts != want {
		t.Errorf("counts %+v", res.Counts)
	}
	if res.Windows != 60 || res.Verdicts[validate.Matched] != 60 {
		t.Errorf("%d windows, %v", res.Windows, res.Verdicts)
	}
	if len(j.e.queries) != 1 || len(j.o.queries) != 1 {
		t.Errorf("the sides were read %d and %d times", len(j.e.queries), len(j.o.queries))
	}
	if res.Expectation.Readings != 6000 || res.Observation.Readings != 6000 {
		t.Errorf("costs %+v, %+v", res.Expectation, res.Observation)
	}
}

// lie is what is told wrong, and what it must be found as.
type lie struct {
	verdict     validate.Verdict
	device, tag string
	seq         uint64
	field       string
}

func (l lie) compare(m lie) int {
	return cmp.Or(cmp.Compare(l.verdict, m.verdict), cmp.Compare(l.device, m.device), cmp.Compare(l.tag, m.tag), cmp.Compare(l.seq, m.seq), cmp.Compare(l.field, m.field))
}

func liesOf(all []validate.Discrepancy) []lie {
	var lies []lie
	for _, d := range all {
		lies = append(lies, lie{d.Verdict, d.Device, d.Tag, d.Seq, strings.Join(d.Fields, ",")})
	}
	slices.SortFunc(lies, lie.compare)
	return lies
}

// liar makes a copy of the truth with lies.
type liar struct {
	*rand.Rand
	truth  []validate.Record
	told   []validate.Record
	lies   []lie
	counts validate.Counts
}

func (l *liar) tell(v validate.Verdict, r *validate.Record, field string) {
	l.lies = append(l.lies, lie{v, r.Device, r.Tag, r.Seq, field})
	switch v {
	case validate.Missing:
		l.counts.Missing++
	case validate.Altered:
		l.counts.Altered++
	case validate.Extra:
		l.counts.Extra++
	case validate.Duplicate:
		l.counts.Duplicate++
	}
}

// lieAbout copies a truth, and lies of each kind now and then.
func lieAbout(rnd *rand.Rand, truth []validate.Record, hours int) *liar {
	l := &liar{Rand: rnd, truth: truth}
	one := func(of int) bool { return l.IntN(of) == 0 }
	rare := 2 + l.IntN(300)
	lost, hour := "", int64(-1)
	if one(4) {
		lost = truth[l.IntN(len(truth))].Device
	}
	if one(4) {
		hour = int64(l.IntN(hours))
	}
	end := int64(math.MaxInt64)
	if one(4) {
		end = truth[l.IntN(len(truth))].Time
	}
	for i := range truth {
		r := truth[i]
		last := start.Add(time.Duration(hours) * time.Hour).UnixNano()
		switch {
		case r.Device == lost, (r.Time-start.UnixNano())/int64(time.Hour) == hour, r.Time >= end:
			l.tell(validate.Missing, &r, "")
			continue
		case !one(rare):
		default:
			switch l.IntN(9) {
			case 0:
				l.tell(validate.Missing, &r, "")
				continue
			case 1:
				l.tell(validate.Altered, &r, "value")
				r.Value = reading.OfFloat(math.Nextafter(r.Value.Float(), math.Inf(1)))
			case 2:
				l.tell(validate.Altered, &r, "quality")
				r.Quality = "bad"
			case 3:
				for range 1 + l.IntN(3) {
					l.tell(validate.Duplicate, &r, "")
					l.told = append(l.told, r)
				}
			case 4:
				made := r
				made.Seq += 1_000_000
				l.tell(validate.Extra, &made, "")
				l.told = append(l.told, made)
			case 5:
				l.tell(validate.Altered, &r, "time")
				r.Time++
			case 6: // often into another window
				moved := r.Time + l.Int64N(int64(2*time.Hour)) - int64(time.Hour)
				if moved == r.Time || moved < start.UnixNano() || moved >= last {
					break
				}
				l.tell(validate.Altered, &r, "time")
				r.Time = moved
			case 7: // an altered copy beside the true one
				made := r
				made.Value = reading.OfText("made up")
				l.tell(validate.Extra, &made, "")
				l.told = append(l.told, made)
			case 8:
				l.tell(validate.Altered, &r, "value,site")
				r.Value, r.Site = reading.OfInt(int64(r.Value.Float())), "elsewhere"
			}
		}
		l.told = append(l.told, r)
	}
	rnd.Shuffle(len(l.told), func(i, j int) { l.told[i], l.told[j] = l.told[j], l.told[i] })
	slices.SortFunc(l.lies, lie.compare)
	l.counts.Expected, l.counts.Observed = int64(len(truth)), int64(len(l.told))
	l.counts.Matched = l.counts.Expected - l.counts.Missing - l.counts.Altered
	return l
}

func TestEachLieIsFoundAndNoneInvented(t *testing.T) {
	const hours = 5
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		truth := plant(1+rnd.IntN(4), 1+rnd.IntN(3), 30+rnd.IntN(100), hours*time.Hour)
		l := lieAbout(rnd, truth, hours)
		var results []*validate.Result
		for _, tight := range []bool{false, true} {
			j := job(truth, l.told, hours)
			j.MaxListed = 1_000_000
			j.e.Has.Selective = rnd.IntN(2) == 0
			j.o.Has.Selective = rnd.IntN(2) == 0
			if tight {
				// As many as wait for a counterpart elsewhere are permitted.
				c := &l.counts
				j.MaxCells, j.MaxRecords = 1+rnd.IntN(20), 2*int(c.Missing+c.Extra+2*c.Altered+1)+rnd.IntN(200)
			}
			res, all := run(t, j)
			if res.Counts != l.counts {
				t.Errorf("seed %d, tight %v: counts\n%+v, want\n%+v", seed, tight, res.Counts, l.counts)
			}
			if found := liesOf(all); !slices.Equal(found, l.lies) {
				for _, is := range found {
					if !slices.Contains(l.lies, is) {
						t.Errorf("seed %d, tight %v: invented %+v", seed, tight, is)
					}
				}
				for _, is := range l.lies {
					if !slices.Contains(found, is) {
						t.Errorf("seed %d, tight %v: not found %+v", seed, tight, is)
					}
				}
				t.Errorf("seed %d, tight %v: %d lies, found %d", seed, tight, len(l.lies), len(found))
			}
			if want := outcomeOf(l); res.Outcome != want {
				t.Errorf("seed %d, tight %v: outcome %s, want %s", seed, tight, res.Outcome, want)
			}
			res.Started, res.Finished = time.Time{}, time.Time{}
			res.Expectation.Costs, res.Observation.Costs = validate.Costs{}, validate.Costs{}
			results = append(results, res)
			if t.Failed() {
				return
			}
		}
		if a, b := asJSON(t, results[0]), asJSON(t, results[1]); a != b {
			t.Fatalf("seed %d: with little memory\n%s\nand with much\n%s", seed, b, a)
		}
	}
}

func outcomeOf(l *liar) validate.Outcome {
	if len(l.lies) > 0 {
		return validate.Discrepant
	}
	return validate.Proven
}

func asJSON(t *testing.T, res *validate.Result) string {
	t.Helper()
	b, err := json.MarshalIndent(res, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCancelledRunEndsAtOnce(t *testing.T) {
	truth := plant(1, 1, 10, time.Hour)
	ctx, cancel := context.WithCancelCause(t.Context())
	j := job(truth, truth, 1)
	gone := context.DeadlineExceeded
	j.o.onRead = func(int, validate.Query) error {
		cancel(gone)
		return nil
	}
	if _, err := validate.Run(ctx, j.Job); err == nil || !strings.Contains(err.Error(), gone.Error()) {
		t.Fatalf("error %v", err)
	}
}
