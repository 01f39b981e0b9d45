package simulate

import (
	"math"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// history is what a tag has said, and how often.
type history struct {
	values    []reading.Value // that differ from the one before
	n         int
	qualities map[string]int
	nans      int
}

// TestSignals looks at days of a device, whether its tags do what they should.
func TestSignals(t *testing.T) {
	s := newSimulator(t, func(c *Config) { c.Devices, c.Period, c.Batch = 3, time.Second, Batch{100_000, 24 * time.Hour} })
	tags, total := map[string]*history{}, &history{qualities: map[string]int{}}
	for device := range s.Devices() {
		last := map[string]reading.Value{}
		for sequence := uint64(2); sequence < 5; sequence++ {
			for _, r := range s.Readings(nil, device, sequence) {
				h := tags[r.Tag]
				if h == nil {
					h = &history{qualities: map[string]int{}}
					tags[r.Tag] = h
				}
				h.n++
				total.n++
				total.qualities[r.Quality]++
				if math.IsNaN(r.Value.Float()) {
					total.nans++
				}
				if r.Quality == bad || r.Value == last[r.Tag] {
					continue
				}
				last[r.Tag] = r.Value
				h.values = append(h.values, r.Value)
			}
		}
	}
	if len(tags) != len(signals) {
		t.Fatalf("%d tags, want %d", len(tags), len(signals))
	}
	share := func(what string, n, of int, least, most float64) {
		t.Helper()
		if got := float64(n) / float64(of); got < least || got > most {
			t.Errorf("%s: a share of %.6f, want %.6f to %.6f", what, got, least, most)
		}
	}
	share("bad", total.qualities[bad], total.n, 0.0003, 0.005)
	share("uncertain", total.qualities[uncertain], total.n, 0.005, 0.02)
	share("NaN", total.nans, total.n, 1e-6, 1e-4)
	for _, seldom := range []string{"setpoint", "recipe", "mode", "alarm"} {
		share("changes of "+seldom, len(tags[seldom].values), tags[seldom].n, 1e-6, 0.02)
	}
	for tag, kind := range map[string]reading.Kind{
		"temperature": reading.Float, "state": reading.Text, "parts": reading.Int, "alarm": reading.Bool, "recipe": reading.Text,
		"energy": reading.Int, "position": reading.Int, "setpoint": reading.Float,
	} {
		for _, v := range tags[tag].values {
			if v.Kind() != kind {
				t.Fatalf("%s: %v", tag, v)
			}
		}
	}
	resets := 0
	for i, v := range tags["parts"].values[1:] {
		if before := tags["parts"].values[i]; v.Int() < before.Int() {
			resets++
			if v.Int() > 30 {
				t.Errorf("parts: %d after %d", v.Int(), before.Int())
			}
		}
	}
	share("resets of parts", resets, len(tags["parts"].values), 0.0005, 0.02)
	states := map[string]int{}
	for _, v := range tags["state"].values {
		states[v.Text()]++
	}
	if states["running"] == 0 || states["idle"] == 0 || states["down"] == 0 || len(states) != 3 {
		t.Errorf("states %v", states)
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range tags["temperature"].values {
		low, high = min(low, v.Float()), max(high, v.Float())
		if tenths := v.Float() * 10; math.Abs(tenths-math.Round(tenths)) > 1e-9 {
			t.Fatalf("%v °C is no tenth", v.Float())
		}
	}
	if low < 5 || low > 50 || high < 50 || high > 120 {
		t.Errorf("temperatures from %v to %v", low, high)
	}
}

// TestMachineRunsOn checks that nothing jumps where a spell ends.
func TestMachineRunsOn(t *testing.T) {
	for seed := range 50 {
		m := newMachine(key(seed))
		for n := int64(1); n < 30; n++ {
			before, after := m.at(n*m.spell-1), m.at(n*m.spell)
			ends, begins := m.moment(&before, n*m.spell-1, 0), m.moment(&after, n*m.spell, 0)
			if math.Abs(ends.heat-begins.heat) > 1e-3 {
				t.Errorf("spell %d begins with the heat %.5f, the one before ended with %.5f", n, begins.heat, ends.heat)
			}
			if n%orderSpells != 0 && begins.parts != ends.parts || n%orderSpells == 0 && begins.parts != 0 {
				t.Errorf("spell %d begins with %d parts, the one before ended with %d", n, begins.parts, ends.parts)
			}
			if begins.heat < 0 || begins.heat > 1 {
				t.Errorf("heat %v", begins.heat)
			}
		}
	}
}
