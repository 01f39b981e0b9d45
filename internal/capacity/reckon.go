package capacity

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Report says how long outages may last.
type Report struct {
	Load    Load           `json:"load"`
	Target  Span           `json:"targetHours"`
	Volumes []VolumeReport `json:"volumes"`
	Stores  []StoreReport  `json:"stores"`
	// Warnings say what does not last for the target, and what to do.
	Warnings []string `json:"warnings"`
	// Notes say what is not reckoned, and is no reason for a warning.
	Notes []string `json:"notes,omitempty"`
}

// VolumeReport is of a volume whose buffers all fill at once.
type VolumeReport struct {
	Volume string    `json:"volume"`
	Size   feed.Size `json:"size,omitempty"` // 0: not known
	// Room is what buffers may take: the size without the file system's part, what
	// must stay free, what servers need, and what of quarantines, caches and ledgers
	// may be there.
	Room feed.Size `json:"room"`
	// Bridges is how long it takes until a buffer, or the volume, is full.
	Bridges Span   `json:"bridgesHours"`
	First   string `json:"firstFull,omitempty"` // a store, or the volume
	Then    Effect `json:"then,omitempty"`
	// Wanted is the size with which the volume would not be full within the target
	// if its stores had no bounds.
	Wanted feed.Size `json:"wantedSize"`
}

// StoreReport is of a store that fills alone.
type StoreReport struct {
	Volume string  `json:"volume"`
	Store  string  `json:"store"`
	Role   Role    `json:"role"`
	Rate   float64 `json:"recordsPerSecond"`
	OnDisk float64 `json:"bytesOnDisk"`     // of each record
	Bound  string  `json:"bound,omitempty"` // the tightest: a setting, or the volume
	Lasts  Span    `json:"lastsHours"`      // until that is reached
	Then   Effect  `json:"then,omitempty"`
	// Next is the store in which everything waits when this one holds back, and
	// End what happens when that is full, too; Bridges counts both.
	Next    string `json:"thenWaitsIn,omitempty"`
	End     Effect `json:"inTheEnd,omitempty"`
	Bridges Span   `json:"bridgesHours"`
}

// Reckon says how long each volume and each store lasts, and warns of what does
// not last for the target. It fails when a volume was given that nothing lies on.
func (p *Plan) Reckon(target time.Duration) (*Report, error) {
	stores := p.all()
	if err := p.check(stores); err != nil {
		return nil, err
	}
	r := &Report{Load: p.load, Target: Span(target.Seconds()), Volumes: []VolumeReport{}, Stores: []StoreReport{}, Warnings: []string{}, Notes: p.notes}
	for _, name := range p.broker.unknown() {
		r.warn("queue %s: a feed reads it and nothing says how large it may become: give RabbitMQ's definitions.json", name)
	}
	all := p.shares(stores)
	for i := range all {
		all[i].reports = r.alone(&all[i])
	}
	waiting(all)
	for i := range all {
		r.Stores = append(r.Stores, all[i].reports...)
		r.conclude(&all[i])
	}
	return r, nil
}

// share is a volume with what lies on it.
type share struct {
	volume
	stores  []Store
	usable  float64 // bytes for buffers and histories; infinitely many when the size is not known
	reports []StoreReport
}

// shares puts stores, which are in the order of their volumes, on these.
func (p *Plan) shares(stores []Store) []share {
	var all []share
	for len(stores) > 0 {
		n := slices.IndexFunc(stores, func(s Store) bool { return s.Volume != stores[0].Volume })
		if n < 0 {
			n = len(stores)
		}
		v := share{volume: *p.volume(stores[0].Volume), stores: stores[:n], usable: math.Inf(1)}
		if stores[0].Volume == volumeRabbitMQ {
			v.fixed += p.broker.writesAhead()
		}
		if v.size > 0 {
			v.usable = float64(v.size)*(1-fileSystem) - float64(v.reserve+v.fixed)
		}
		// What is no buffer is there already when an outage begins.
		for i := range v.stores {
			s := &v.stores[i]
			v.usable -= float64(s.Fixed)
			if s.Role != Buffer && s.Role != History {
				v.usable -= s.at(0)
			}
		}
		all = append(all, v)
		stores = stores[n:]
	}
	return all
}

func (r *Report) warn(format string, a ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, a...))
}

// alone says of each store how long it lasts when it alone fills the volume.
func (r *Report) alone(v *share) []StoreReport {
	var all []StoreReport
	for i := range v.stores {
		s := &v.stores[i]
		limit := s.limit()
		out := StoreReport{Volume: s.Volume, Store: s.Name, Role: s.Role, Rate: s.Rate, OnDisk: s.OnDisk, Bound: limit.Setting, Lasts: Span(limit.Records / s.Rate), Then: s.Full}
		if byVolume := Span(max(0, v.usable) / s.growth()); s.Role == Buffer || s.Role == History {
			switch {
			case byVolume < out.Lasts:
				out.Lasts, out.Bound, out.Then = byVolume, theVolume, v.full
			case s.Role == History: // what it drops is older than anybody wants it to be
				out.Lasts, out.Then = Span(math.Inf(1)), ""
			case math.IsInf(float64(out.Lasts), 1):
				out.Then = ""
			}
		}
		out.Bridges = out.Lasts
		all = append(all, out)
	}
	return all
}

// theVolume stands for the volume where the first is named that is full.
const theVolume = "the volume"

// waiting adds for each buffer that holds back how long its senders then last, and
// what happens at their end.
func waiting(all []share) {
	type store struct {
		*Store
		*StoreReport
	}
	byName := make(map[string]store)
	var inOrder []store // so that circles of routes come out the same each time
	for i := range all {
		v := &all[i]
		for j := range v.stores {
			s := store{&v.stores[j], &v.reports[j]}
			byName[s.Name] = s
			inOrder = append(inOrder, s)
		}
	}
	var wait func(s store, above map[string]bool)
	wait = func(s store, above map[string]bool) {
		if s.Next != "" || !s.Then.HoldsBack() || above[s.Name] {
			return
		}
		above[s.Name] = true
		for _, name := range s.Senders {
			sender, ok := byName[name]
			if !ok || above[name] {
				continue
			}
			wait(sender, above)
			if total := s.Lasts + sender.Bridges; s.Next == "" || total < s.Bridges {
				s.Next, s.Bridges, s.End = name, total, sender.end()
			}
		}
		delete(above, s.Name)
	}
	for _, s := range inOrder {
		wait(s, make(map[string]bool))
	}
}

// end is what happens when nothing is left to wait in.
func (s *StoreReport) end() Effect {
	if s.Next != "" {
		return s.End
	}
	return s.Then
}

// conclude adds a volume, and warns of what does not last for the target.
func (r *Report) conclude(v *share) {
	out := VolumeReport{Volume: v.stores[0].Volume, Size: v.size, Bridges: Span(math.Inf(1))}
	if v.size > 0 {
		out.Room = feed.Size(max(0, v.usable))
	}
	for _, s := range v.reports {
		if (s.Role == Buffer || s.Role == History) && s.Bridges < out.Bridges {
			out.Bridges, out.First, out.Then = s.Bridges, s.Store, s.end()
			if s.Next != "" {
				out.First += ", " + s.Next
			}
		}
	}
	if full := together(v.stores, v.usable); full < float64(out.Bridges) {
		out.Bridges, out.First, out.Then = Span(full), theVolume, v.full
	}
	out.Wanted = wanted(v.stores, v.volume, r.Target)
	r.Volumes = append(r.Volumes, out)
	r.judge(&out, v.full, v.reports, v.stores)
}

// together returns the seconds after which stores that all grow at once take what
// is usable: infinitely many when their bounds come first.
func together(stores []Store, usable float64) float64 {
	if usable <= 0 {
		return 0
	}
	var growing []*Store
	for i := range stores {
		if s := &stores[i]; s.Role == Buffer || s.Role == History {
			growing = append(growing, s)
		}
	}
	// Each grows until it has reached its bound: the sum is a polyline, whose
	// corners are the bounds.
	slices.SortFunc(growing, func(a, b *Store) int { return compare(a.most()/a.growth(), b.most()/b.growth()) })
	now, taken := 0.0, 0.0
	for i, s := range growing {
		speed := 0.0
		for _, g := range growing[i:] {
			speed += g.growth()
		}
		until := s.most() / s.growth()
		if at := now + (usable-taken)/speed; at < until {
			return at
		}
		taken += (until - now) * speed
		now = until
	}
	return math.Inf(1)
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// wanted returns the size of a volume on which its buffers last for the target,
// and its history for as long as it is kept.
func wanted(stores []Store, v volume, target Span) feed.Size {
	need := float64(v.reserve + v.fixed)
	for i := range stores {
		s := &stores[i]
		need += float64(s.Fixed)
		switch {
		case s.Role == History && !math.IsInf(s.most(), 1):
			need += s.most()
		case s.Role == Buffer || s.Role == History:
			need += s.growth() * float64(target)
		default:
			need += s.at(0)
		}
	}
	return feed.Size(math.Ceil(need / (1 - fileSystem)))
}

// judge warns of what does not last for the target.
func (r *Report) judge(v *VolumeReport, full Effect, reports []StoreReport, stores []Store) {
	if v.Size == 0 {
		r.warn("volume %s: its size is not known, and only the bounds of what lies on it are reckoned with: --volume %s=5Gi", v.Volume, v.Volume)
	} else if v.Room == 0 {
		r.warn("volume %s: of %s nothing is left for an outage: quarantines, caches, ledgers and what its server needs may take all of it; give it %s, or them less", v.Volume, v.Size, Readable(v.Wanted))
	}
	if most := bounds(stores); v.Size > 0 && most > float64(v.Room) {
		what := "has no bound"
		if !math.IsInf(most, 1) {
			what = "may take " + Readable(feed.Size(most)) + " by its bounds"
		}
		r.warn("volume %s: what waits on it %s, and there is room for %s: the disk is full before that, and then it %s; bound it more tightly", v.Volume, what, Readable(v.Room), full)
	}
	for i, s := range reports {
		if s.Role != Buffer || s.Bound == theVolume || s.Bridges >= r.Target {
			continue
		}
		more := ""
		if s.Next != "" {
			more = fmt.Sprintf(" with what waits in %s", s.Next)
		}
		r.warn("%s: %s bridges %s of %s%s, and then it %s; %s take %s on the disk", s.Store, s.Bound, s.Bridges, r.Target, more, s.end(), r.Target, Readable(feed.Size(stores[i].growth()*float64(r.Target))))
	}
	if v.First == theVolume && v.Bridges < r.Target && v.Room > 0 {
		r.warn("volume %s: it is full after %s of %s when all that is on it fills, and then it %s; for %s it takes %s", v.Volume, v.Bridges, r.Target, v.Then, r.Target, Readable(v.Wanted))
	}
	for i, s := range reports {
		if s.Role == History && s.Then != "" {
			r.warn("%s: the volume %s is full after %s, before %s removes anything; it takes %s", s.Store, s.Volume, s.Lasts, retention(&stores[i]), Readable(v.Wanted))
		}
	}
}

// bounds returns how many bytes of disk buffers take that are all full.
func bounds(stores []Store) (bytes float64) {
	for i := range stores {
		if stores[i].Role == Buffer {
			bytes += stores[i].most()
		}
	}
	return bytes
}

// retention names what keeps a history within bounds.
func retention(s *Store) string {
	if setting := s.limit().Setting; setting != "" {
		return setting
	}
	return "a retention, of which there is none,"
}
