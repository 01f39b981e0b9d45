package validate

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// findings are what is certain so far. They are kept as JSON, so that a run can go
// on with those of another.
type findings struct {
	Counts   Counts               `json:"counts"`
	Windows  int64                `json:"windows"`
	Verdicts map[Verdict]int64    `json:"verdicts"`
	Devices  map[string]*lifeline `json:"devices"`
	// Rates are the readings of each part of the picture, expected and observed.
	Rates         [][2]int64         `json:"rates"`
	Problems      worst[Window]      `json:"problems"`
	Discrepancies worst[Discrepancy] `json:"discrepancies"`
	Latencies     latencies          `json:"latencies"`
	Unreadable    [2]places          `json:"unreadable"`
	// Unsteady are windows of which the expectation told something else when they
	// were read again.
	Unsteady int64 `json:"unsteady,omitempty"`

	picture
}

// places are those that could not be read.
type places struct {
	List []string `json:"list"`
	More int64    `json:"more"`
}

func (p *places) n() int64 { return int64(len(p.List)) + p.More }

// lifeline is what became of a device.
type lifeline struct {
	Site   string `json:"site,omitempty"`
	Counts Counts `json:"counts"`
	Parts  []Part `json:"parts"` // in the order of their index
}

// part returns the part with an index.
func (l *lifeline) part(index int) *Part {
	i, found := slices.BinarySearchFunc(l.Parts, index, func(p Part, index int) int { return cmp.Compare(p.Index, index) })
	if !found {
		l.Parts = slices.Insert(l.Parts, i, Part{Index: index, Verdict: Matched})
	}
	return &l.Parts[i]
}

// picture divides the range into at most maxParts parts of whole windows.
type picture struct {
	first  int64 // window
	per    int64 // windows
	window int64 // length
}

const maxParts = 200

func (p *picture) part(window int64) int { return int((window - p.first) / p.per) }

func newFindings(p picture, windows int64, listed int) *findings {
	f := &findings{
		Verdicts: map[Verdict]int64{}, Devices: map[string]*lifeline{},
		Rates: make([][2]int64, (windows+p.per-1)/p.per), Latencies: latencies{Counts: map[int]int64{}},
	}
	f.become(p, listed)
	return f
}

// become sets what is not kept.
func (f *findings) become(p picture, listed int) {
	f.picture = p
	f.Problems.List, f.Discrepancies.List = nonNil(f.Problems.List), nonNil(f.Discrepancies.List)
	f.Problems.most, f.Problems.compare = listed, compareWindows
	f.Discrepancies.most, f.Discrepancies.compare = listed, compareDiscrepancies
}

// nonNil returns a list that JSON writes as one.
func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// device returns the lifeline of a device.
func (f *findings) device(name, site string) *lifeline {
	d := f.Devices[name]
	if d == nil {
		d = &lifeline{}
		f.Devices[name] = d
	}
	if d.Site == "" {
		d.Site = site
	}
	return d
}

// add takes a window of a tag of d.
func (f *findings) add(d *lifeline, of tag, window int64, c *Counts) {
	if c.Expected == 0 && c.Observed == 0 {
		return // what was observed in it belongs to another
	}
	v := c.verdict()
	f.Windows++
	f.Verdicts[v]++
	f.Counts.add(c)
	d.Counts.add(c)
	i := f.part(window)
	p := d.part(i)
	if v.worse(p.Verdict) > 0 {
		p.Verdict = v
	}
	p.Expected += c.Expected
	p.Bad += c.bad()
	f.Rates[i][0] += c.Expected
	f.Rates[i][1] += c.Observed
	if v != Matched {
		from := time.Unix(0, window*f.window).UTC()
		f.Problems.add(Window{Device: of.device, Tag: of.tag, From: from, To: from.Add(time.Duration(f.window)), Verdict: v, Counts: *c})
	}
}

// fill copies the findings into a result.
func (f *findings) fill(r *Result, arrival bool, listed int) {
	r.Counts, r.Windows, r.Verdicts = f.Counts, f.Windows, f.Verdicts
	r.Step = time.Duration(f.per * f.window)
	f.Problems.cut()
	f.Discrepancies.cut()
	r.Problems, r.OmittedProblems = f.Problems.List, f.Problems.Omitted
	r.Discrepancies, r.OmittedDiscrepancies = f.Discrepancies.List, f.Discrepancies.Omitted
	r.Devices = []Device{}
	names := slices.SortedFunc(maps.Keys(f.Devices), func(a, b string) int {
		return cmp.Or(f.Devices[b].Counts.compare(&f.Devices[a].Counts), strings.Compare(a, b))
	})
	for _, name := range names[:min(len(names), listed)] {
		d := f.Devices[name]
		r.Devices = append(r.Devices, Device{Device: name, Site: d.Site, Counts: d.Counts, Parts: d.Parts})
	}
	r.OmittedDevices = int64(len(names) - len(r.Devices))
	for i, n := range f.Rates {
		at := time.Unix(0, (f.first+int64(i)*f.per)*f.window).UTC()
		r.Throughput = append(r.Throughput, Rate{At: at, Expected: n[0], Observed: n[1]})
	}
	if arrival {
		r.Latency = f.Latencies.result()
	}
	for i, side := range [...]string{"expectation", "observation"} {
		for _, text := range f.Unreadable[i].List {
			if len(r.Unreadable) < maxPlaces {
				r.Unreadable = append(r.Unreadable, side+": "+text)
			} else {
				r.OmittedUnreadable++
			}
		}
		r.OmittedUnreadable += f.Unreadable[i].More
	}
}

func (c *Counts) add(d *Counts) {
	c.Expected += d.Expected
	c.Observed += d.Observed
	c.Matched += d.Matched
	c.Altered += d.Altered
	c.Missing += d.Missing
	c.Extra += d.Extra
	c.Duplicate += d.Duplicate
	c.Repeated += d.Repeated
	c.Undecided += d.Undecided
	c.OutOfOrder += d.OutOfOrder
	c.Late += d.Late
}

// bad is how many readings are not as they should be.
func (c *Counts) bad() int64 { return c.Altered + c.Missing + c.Undecided + c.Extra + c.Duplicate }

// open says whether there is anything of which nothing can be said. What was
// observed and cannot be said to be extra has no count of its own.
func (c *Counts) open() bool {
	return c.Undecided > 0 || c.Observed > c.Matched+c.Altered+c.Extra+c.Duplicate
}

// open says whether something of what was read for good proves nothing.
func (f *findings) open() bool {
	return f.Counts.open() || f.Unsteady > 0 || f.Unreadable[expected].n()+f.Unreadable[observed].n() > 0
}

// verdict returns the worst.
func (c *Counts) verdict() Verdict {
	switch {
	case c.Missing > 0:
		return Missing
	case c.Altered > 0:
		return Altered
	case c.Extra > 0:
		return Extra
	case c.open():
		return Undecided
	case c.Duplicate > 0:
		return Duplicate
	case c.Late > 0:
		return Late
	case c.OutOfOrder > 0:
		return OutOfOrder
	}
	return Matched
}

// compare is positive when c is worse than d.
func (c *Counts) compare(d *Counts) int {
	return cmp.Or(
		cmp.Compare(c.Missing+c.Altered+c.Extra, d.Missing+d.Altered+d.Extra),
		cmp.Compare(c.Undecided, d.Undecided),
		cmp.Compare(c.Duplicate, d.Duplicate),
		cmp.Compare(c.Late+c.OutOfOrder, d.Late+d.OutOfOrder))
}

// worse is positive when v is worse than w.
func (v Verdict) worse(w Verdict) int {
	return cmp.Compare(slices.Index(Verdicts[:], v), slices.Index(Verdicts[:], w))
}

// compareWindows puts the worst first.
func compareWindows(a, b Window) int {
	return cmp.Or(b.Verdict.worse(a.Verdict), b.Counts.compare(&a.Counts),
		a.From.Compare(b.From), strings.Compare(a.Device, b.Device), strings.Compare(a.Tag, b.Tag))
}

// compareDiscrepancies puts the worst first, and of the same the earliest.
func compareDiscrepancies(a, b Discrepancy) int {
	return cmp.Or(b.Verdict.worse(a.Verdict), a.Time.Compare(b.Time),
		strings.Compare(a.Device, b.Device), strings.Compare(a.Tag, b.Tag), cmp.Compare(a.Seq, b.Seq))
}

// merge takes the places of a slice.
func (p *places) merge(d *doubts) {
	p.More += d.more
	for _, text := range d.list {
		switch {
		case slices.Contains(p.List, text):
		case len(p.List) < maxPlaces:
			p.List = append(p.List, text)
		default:
			p.More++
		}
	}
}
