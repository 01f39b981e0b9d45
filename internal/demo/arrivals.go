package demo

import (
	"fmt"
	"sync/atomic"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// arrivals are the readings that were found at a place: what they say, and which
// of each device there are.
type arrivals struct {
	contents *witness.Contents
	tally    *witness.Tally
	n        atomic.Uint64 // repetitions included
}

var _ witness.Recorder = (*arrivals)(nil)

func newArrivals() *arrivals {
	return &arrivals{contents: witness.NewContents(), tally: witness.NewTally()}
}

// AddJSON implements [witness.Recorder].
func (a *arrivals) AddJSON(payload []byte) {
	a.contents.AddJSON(payload)
	a.n.Add(1)
	a.tally.AddJSON(payload) // which wakes up who waits for the number
}

func (a *arrivals) add(r reading.Reading) {
	a.contents.Add(r)
	a.n.Add(1)
	a.tally.Add(r.Device, r.Seq)
}

// Comparison is what a place has beside what the cloud API serves.
type Comparison struct {
	witness.Verdict
	Altered uint64 `json:"altered"` // readings that say something else
	// FirstAltered names some of those whose first arrival says something else.
	FirstAltered []string `json:"firstAltered,omitempty"`
	FirstBad     string   `json:"firstBad,omitempty"` // one of the missing or unreadable ones, with all that is known of it
}

// Complete reports whether everything arrived as it is, and nothing else.
func (c Comparison) Complete() bool { return c.Verdict.Complete() && c.Altered == 0 }

// alteredNames is a recorder that is given the truth again, to name the readings
// of which something else has arrived.
type alteredNames struct {
	arrived *witness.Contents
	parser  reading.Parser
	names   []string
}

// mostNames is how many readings are named at most.
const mostNames = 10

// AddJSON implements [witness.Recorder].
func (a *alteredNames) AddJSON(payload []byte) {
	if len(a.names) == mostNames {
		return
	}
	r, err := a.parser.Parse(payload)
	if err != nil {
		return // the comparison has reported it
	}
	// Beside a truth of one reading the rest is extra, and only that one can be
	// altered, apart from repetitions that contradict each other.
	one := witness.NewContents()
	one.Add(r)
	if witness.Differ(one, a.arrived).Altered > witness.Differ(witness.NewContents(), a.arrived).Altered {
		a.names = append(a.names, fmt.Sprintf("%s/%d", r.Device, r.Seq))
	}
}

// compare compares contents; the tallies tell which readings are missing, and how
// they came.
func compare(truth, arrived *arrivals) Comparison {
	d := witness.Differ(truth.contents, arrived.contents)
	c := Comparison{Verdict: witness.Compare(truth.tally, arrived.tally), Altered: uint64(d.Altered), FirstBad: d.FirstBad}
	c.Expected, c.Arrived = uint64(d.Expected), uint64(d.Expected-d.Missing)
	c.Missing, c.Unexpected = uint64(d.Missing), uint64(d.Extra)
	c.Duplicates, c.Unreadable = d.Repeated, d.Unreadable
	return c
}
