package capacity

import (
	"fmt"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// stores draws what may lie on a volume: buffers with and without bounds, histories
// and what is full already.
func stores() *rapid.Generator[[]Store] {
	one := rapid.Custom(func(t *rapid.T) Store {
		s := Store{
			Volume: "disk", Name: fmt.Sprint("store ", rapid.IntRange(0, 1000).Draw(t, "name")),
			Role:   rapid.SampledFrom([]Role{Buffer, Buffer, Buffer, History, Refused, Notes}).Draw(t, "role"),
			OnDisk: rapid.Float64Range(1, 1e5).Draw(t, "on disk"), Rate: 1,
			Fixed: feed.Size(rapid.Int64Range(0, 1e8).Draw(t, "fixed")),
			Full:  Refuses,
		}
		if rapid.Bool().Draw(t, "bounded") {
			s.Bounds = []Bound{{"maxBytes", rapid.Float64Range(0, 1e7).Draw(t, "records")}}
		}
		return s
	})
	return rapid.SliceOfN(one, 1, 6)
}

// reckoned returns the report of stores that get rate records a second each, on a
// disk of a size.
func reckoned(t interface{ Fatal(...any) }, all []Store, rate float64, size feed.Size, target time.Duration) *Report {
	p := NewPlan(Load{Rate: rate, Bytes: 150, BatchReadings: 1000})
	for _, s := range all {
		s.Rate = rate
		p.add(s)
	}
	p.SetVolume("disk", size)
	r, err := p.Reckon(target)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestMonotonic: more readings fill everything sooner and want a larger volume; a
// larger volume lasts at least as long; a longer target is no easier.
func TestMonotonic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := stores().Draw(t, "stores")
		rate := rapid.Float64Range(0.01, 1e6).Draw(t, "rate")
		size := feed.Size(rapid.Int64Range(1, 1e12).Draw(t, "size"))
		target := time.Duration(rapid.Int64Range(1, 1e17).Draw(t, "target"))
		base := reckoned(t, all, rate, size, target)
		faster := reckoned(t, all, rate*rapid.Float64Range(1, 100).Draw(t, "times"), size, target)
		larger := reckoned(t, all, rate, size+feed.Size(rapid.Int64Range(0, 1e12).Draw(t, "more")), target)
		longer := reckoned(t, all, rate, size, 2*target)
		const rounding = 1 + 1e-9
		if faster.Volumes[0].Bridges > base.Volumes[0].Bridges*rounding {
			t.Errorf("more readings: bridges %v instead of %v", faster.Volumes[0].Bridges, base.Volumes[0].Bridges)
		}
		if float64(faster.Volumes[0].Wanted)*rounding < float64(base.Volumes[0].Wanted) {
			t.Errorf("more readings: wants %v instead of %v", faster.Volumes[0].Wanted, base.Volumes[0].Wanted)
		}
		if larger.Volumes[0].Bridges*rounding < base.Volumes[0].Bridges || larger.Volumes[0].Room < base.Volumes[0].Room {
			t.Errorf("a larger volume: %+v instead of %+v", larger.Volumes[0], base.Volumes[0])
		}
		if longer.Volumes[0].Wanted < base.Volumes[0].Wanted || len(longer.Warnings) < len(base.Warnings) {
			t.Errorf("a longer target: %+v %q instead of %+v %q", longer.Volumes[0], longer.Warnings, base.Volumes[0], base.Warnings)
		}
		for i := range base.Stores {
			b, f, l := base.Stores[i], faster.Stores[i], larger.Stores[i]
			if f.Bridges > b.Bridges*rounding || l.Bridges*rounding < b.Bridges {
				t.Errorf("%s: %v; with more readings %v, on a larger volume %v", b.Store, b.Bridges, f.Bridges, l.Bridges)
			}
		}
	})
}

// TestTogether: the volume is full when the sum of what its stores take then is
// what is usable, and never when their bounds keep them below it.
func TestTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, usable := stores().Draw(t, "stores"), rapid.Float64Range(-10, 1e12).Draw(t, "usable")
		taken := func(seconds float64) (bytes float64) {
			for i := range all {
				if all[i].Role == Buffer || all[i].Role == History {
					bytes += all[i].at(seconds)
				}
			}
			return bytes
		}
		full := together(all, usable)
		switch {
		case usable <= 0:
			if full != 0 {
				t.Errorf("full after %v without any room", full)
			}
		case math.IsInf(full, 1):
			if most := taken(1e30); most > usable*(1+1e-9) {
				t.Errorf("never full, and %v of %v are taken in the end", most, usable)
			}
		case math.Abs(taken(full)-usable) > usable*1e-9:
			t.Errorf("full after %v s with %v of %v", full, taken(full), usable)
		}
	})
}

// TestWantedIsEnough: a volume of the size that is wanted is not the first that is
// full within the target.
func TestWantedIsEnough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, target := stores().Draw(t, "stores"), time.Duration(rapid.Int64Range(1e9, 1e15).Draw(t, "target"))
		rate := rapid.Float64Range(0.01, 1e4).Draw(t, "rate")
		wanted := reckoned(t, all, rate, feed.TiB, target).Volumes[0].Wanted
		r := reckoned(t, all, rate, wanted+feed.KiB, target)
		if v := r.Volumes[0]; v.First == "the volume" && v.Bridges < Span(target.Seconds())*(1-1e-6) {
			t.Errorf("with %v the volume is full after %v of %v", wanted, v.Bridges, target)
		}
	})
}

// TestWhatIsFullFirst: of two queues the tighter one is full first, and says what
// happens then; a volume that is smaller than both comes before them.
func TestWhatIsFullFirst(t *testing.T) {
	all := []Store{
		{Volume: "disk", Name: "wide", Role: Buffer, OnDisk: 100, Bounds: []Bound{{"maxLength 2", 7200}}, Full: Refuses},
		{Volume: "disk", Name: "tight", Role: Buffer, OnDisk: 100, Bounds: []Bound{{"maxLength 1", 3600}, {"maxAge 1h", 5000}}, Full: DropsOldest},
	}
	v := reckoned(t, all, 1, feed.GiB, 2*time.Hour)
	if got := v.Volumes[0]; got.First != "tight" || got.Then != DropsOldest || got.Bridges != 3600 {
		t.Errorf("%+v", got)
	}
	if len(v.Warnings) != 1 {
		t.Errorf("one queue does not last: %q", v.Warnings)
	}
	// Both grow by 100 bytes a second; of 100,000 bytes 95,000 are for files.
	v = reckoned(t, all, 1, 100_000, time.Minute)
	if got := v.Volumes[0]; got.First != "the volume" || got.Then != Pauses || math.Abs(float64(got.Bridges)-475) > 1e-6 {
		t.Errorf("%+v", got)
	}
	// Nothing is too short for a minute, but the queues may become larger than the volume.
	if len(v.Warnings) != 1 {
		t.Errorf("warnings %q", v.Warnings)
	}
	if v := reckoned(t, all, 1, feed.GiB, time.Minute); len(v.Warnings) != 0 {
		t.Errorf("warnings %q", v.Warnings)
	}
}

// TestHeldBackWaitsElsewhere: when a queue refuses what a route sends, the route
// takes nothing more from its own queue, and that one fills: the outage ends where
// that one ends. What loses messages passes nothing on.
func TestHeldBackWaitsElsewhere(t *testing.T) {
	const feeds = `
routes:
  ingest:
    source: {amqp: {url: "${A}", queue: batches, declare: {exchange: {name: devices}, maxLength: 7200, overflow: %s}}}
    transforms: [{unbatch: {}}]
    sink: {amqp: {url: "${A}", exchange: telemetry}}
  mqtt:
    source: {amqp: {url: "${A}", queue: readings, declare: {exchange: {name: telemetry}, maxLength: 3600000, overflow: %s}}}
    sink: {mqtt: {url: "${M}"}}
`
	for _, c := range []struct {
		batches, readings string
		next              string
		bridges           Span
		end               Effect
	}{
		{"reject-publish", "reject-publish", "queue batches", 3 * 3600, Refuses},
		{"drop-head", "reject-publish", "queue batches", 3 * 3600, DropsOldest},
		{"reject-publish", "drop-head", "", 3600, ""},
	} {
		p := planOf(t, map[string]string{"feed.yaml": fmt.Sprintf(feeds, c.batches, c.readings)})
		p.SetVolume("rabbitmq", feed.TiB)
		r, err := p.Reckon(4 * time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		s := r.Stores[1]
		if s.Store != "queue readings" || s.Lasts != 3600 || s.Next != c.next || s.Bridges != c.bridges || s.End != c.end {
			t.Errorf("%+v: %+v", c, s)
		}
		if b := r.Stores[0]; b.Next != "" || b.Bridges != 2*3600 {
			t.Errorf("%+v: %+v", c, b)
		}
	}
}

// TestCircleOfRoutes: routes that fill each other's queues are no endless story.
func TestCircleOfRoutes(t *testing.T) {
	all := []share{{stores: []Store{{Name: "a", Senders: []string{"b", "a"}}, {Name: "b", Senders: []string{"a", "gone"}}}, reports: []StoreReport{
		{Store: "a", Then: Refuses, Lasts: 1, Bridges: 1}, {Store: "b", Then: Refuses, Lasts: 2, Bridges: 2},
	}}}
	waiting(all)
	for _, s := range all[0].reports {
		if s.Bridges < s.Lasts || s.Bridges > 5 {
			t.Errorf("%+v", s)
		}
	}
}

// TestTheShortestSenderCounts: of two queues that fill a third, the outage ends with
// the one that is full first.
func TestTheShortestSenderCounts(t *testing.T) {
	all := []share{{
		stores: []Store{{Name: "readings", Senders: []string{"long", "short", "longer"}}, {Name: "long"}, {Name: "short"}, {Name: "longer"}},
		reports: []StoreReport{
			{Store: "readings", Then: Refuses, Lasts: 1, Bridges: 1}, {Store: "long", Then: Refuses, Lasts: 20, Bridges: 20},
			{Store: "short", Then: DropsOldest, Lasts: 5, Bridges: 5}, {Store: "longer", Then: Refuses, Lasts: 30, Bridges: 30},
		},
	}}
	waiting(all)
	if s := all[0].reports[0]; s.Next != "short" || s.Bridges != 6 || s.End != DropsOldest {
		t.Errorf("%+v", s)
	}
}
