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
	Volume  string  `json:"volume"`
	Store   string  `json:"store"`
	Role    Role    `json:"role"`
	Rate    float64 `json:"recordsPerSecond"`
	OnDisk  float64 `json:"bytesOnDisk"`     // of each record
	Bound   string  `json:"bound,omitempty"` // the tightest: a setting, or the volume
	Bridges Span    `json:"bridgesHours"`
	Then    Effect  `json:"then,omitempty"`
}

// Reckon says how long each volume and each store lasts, and warns of what does
// not last for the target. It fails when a volume was given that nothing lies on.
func (p *Plan) Reckon(target time.Duration) (*Report, error) {
	stores := p.all()
	if err := p.check(stores); err != nil {
		return nil, err
	}
	r := &Report{Load: p.load, Target: Span(target.Seconds()), Volumes: []VolumeReport{}, Stores: []StoreReport{}, Warnings: []string{}}
	for _, name := range p.broker.unknown() {
		r.warn("queue %s: a feed reads it and nothing says how large it may become: give RabbitMQ's definitions.json", name)
	}
	for len(stores) > 0 {
		n := slices.IndexFunc(stores, func(s Store) bool { return s.Volume != stores[0].Volume })
		if n < 0 {
			n = len(stores)
		}
		v := *p.volume(stores[0].Volume)
		if stores[0].Volume == volumeRabbitMQ {
			v.fixed += p.broker.writesAhead()
		}
		r.reckon(v, stores[:n])
		stores = stores[n:]
	}
	return r, nil
}

func (r *Report) warn(format string, a ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, a...))
}

// reckon adds a volume and what lies on it.
func (r *Report) reckon(v volume, stores []Store) {
	usable := math.Inf(1)
	if v.size > 0 {
		usable = float64(v.size)*(1-fileSystem) - float64(v.reserve+v.fixed)
	}
	// What is no buffer is there already when an outage begins.
	for i := range stores {
		usable -= float64(stores[i].Fixed)
		if stores[i].Role != Buffer && stores[i].Role != History {
			usable -= stores[i].at(0)
		}
	}
	out := VolumeReport{Volume: stores[0].Volume, Size: v.size, Bridges: Span(math.Inf(1))}
	if v.size > 0 {
		out.Room = feed.Size(max(0, usable))
	}
	first := len(r.Stores)
	for i := range stores {
		s := r.store(&stores[i], usable, v.full)
		if (s.Role == Buffer || s.Role == History) && s.Bridges < out.Bridges {
			out.Bridges, out.First, out.Then = s.Bridges, s.Store, s.Then
		}
		r.Stores = append(r.Stores, s)
	}
	if full := together(stores, usable); full < float64(out.Bridges) {
		out.Bridges, out.First, out.Then = Span(full), "the volume", v.full
	}
	out.Wanted = wanted(stores, v, r.Target)
	r.Volumes = append(r.Volumes, out)
	r.judge(&out, v.full, r.Stores[first:], stores)
}

// store says how long a store lasts when it alone fills a volume.
func (r *Report) store(s *Store, usable float64, full Effect) StoreReport {
	limit := s.limit()
	out := StoreReport{Volume: s.Volume, Store: s.Name, Role: s.Role, Rate: s.Rate, OnDisk: s.OnDisk, Bound: limit.Setting, Bridges: Span(limit.Records / s.Rate), Then: s.Full}
	if s.Role != Buffer && s.Role != History {
		return out
	}
	byVolume := Span(max(0, usable) / s.growth())
	switch {
	case byVolume < out.Bridges:
		out.Bridges, out.Bound, out.Then = byVolume, "the volume", full
	case s.Role == History: // what it drops is older than anybody wants it to be
		out.Bridges, out.Then = Span(math.Inf(1)), ""
	case math.IsInf(float64(out.Bridges), 1):
		out.Then = ""
	}
	return out
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
		if s.Role == Buffer && s.Bound != "the volume" && s.Bridges < r.Target {
			r.warn("%s: %s is reached after %s of %s, and then it %s; for %s it takes %s on the disk", s.Store, s.Bound, s.Bridges, r.Target, s.Then, r.Target, Readable(feed.Size(stores[i].growth()*float64(r.Target))))
		}
	}
	if v.First == "the volume" && v.Bridges < r.Target && v.Room > 0 {
		r.warn("volume %s: it is full after %s of %s when all that is on it fills, and then it %s; for %s it takes %s", v.Volume, v.Bridges, r.Target, v.Then, r.Target, Readable(v.Wanted))
	}
	for i, s := range reports {
		if s.Role == History && s.Then != "" {
			r.warn("%s: the volume %s is full after %s, before %s removes anything; it takes %s", s.Store, s.Volume, s.Bridges, retention(&stores[i]), Readable(v.Wanted))
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
