package simulate

import "math"

const (
	second = int64(1e9)
	minute = 60 * second

	// orderSpells is how many spells a machine works at one order.
	orderSpells = 6
)

// machine is what the tags of a device follow.
type machine struct {
	key   key
	spell int64 // how long a machine goes through set-up, run and stop, in ns
	cycle int64 // of work while it runs, in ns
	lag   int64 // of its temperature, in ns
}

func newMachine(k key) machine {
	return machine{
		key:   k.with(0),
		spell: int64(k.with(1).between(float64(4*minute), float64(12*minute))),
		cycle: int64(k.with(2).between(float64(4*second), float64(40*second))),
		lag:   int64(k.with(3).between(float64(10*second), float64(30*second))),
	}
}

// state is what a machine is doing.
type state uint8

const (
	idle state = iota
	running
	down
)

var stateNames = [...]string{idle: "idle", running: "running", down: "down"}

// spell is one stretch of a machine's time: set-up, run, stop. Times are in ns
// from its beginning.
type spell struct {
	number     int64
	begin      int64 // in ns since the start
	run, stop  int64 // when it begins to run, and when that ends
	stopped    state // after that
	heat       float64
	heatAtRun  float64
	heatAtStop float64
	parts      int64 // of the order, at the beginning
	order      int64
}

// at returns the spell of a time.
func (m *machine) at(elapsed int64) spell {
	number := elapsed / m.spell
	s := m.outline(number)
	// The spell before says how hot it is: what was before that has cooled down.
	before := m.outline(max(number-1, 0))
	before.warm(m, 0.5)
	s.warm(m, before.heatAfter(m, m.spell))
	for n := s.order * orderSpells; n < number; n++ {
		earlier := m.outline(n)
		s.parts += earlier.cycles(m, earlier.stop)
	}
	return s
}

// outline returns a spell without heat and parts.
func (m *machine) outline(number int64) spell {
	k := m.key.with(uint64(number))
	s := spell{number: number, begin: number * m.spell, order: number / orderSpells}
	if number%orderSpells == 0 { // a new order is set up
		s.run = int64(k.with(0).between(float64(20*second), float64(60*second)))
	}
	s.stop = int64(float64(m.spell) * k.with(1).between(0.75, 0.98))
	if k.with(2).unit() < 0.12 {
		s.stopped = down
	}
	return s
}

// warm sets how hot the machine is, from 0 to 1.
func (s *spell) warm(m *machine, at float64) {
	s.heat = at
	s.heatAtRun = at * decay(s.run, m.lag)
	s.heatAtStop = 1 - (1-s.heatAtRun)*decay(s.stop-s.run, m.lag)
}

func (s *spell) heatAfter(m *machine, since int64) float64 {
	switch {
	case since < s.run:
		return s.heat * decay(since, m.lag)
	case since < s.stop:
		return 1 - (1-s.heatAtRun)*decay(since-s.run, m.lag)
	}
	return s.heatAtStop * decay(since-s.stop, m.lag)
}

func decay(after, lag int64) float64 { return math.Exp(-float64(after) / float64(lag)) }

func (s *spell) stateAfter(since int64) state {
	switch {
	case since < s.run:
		return idle
	case since < s.stop:
		return running
	}
	return s.stopped
}

// cycles returns how many cycles are complete.
func (s *spell) cycles(m *machine, since int64) int64 {
	return max(0, min(since, s.stop)-s.run) / m.cycle
}

// moment is a machine at a time.
type moment struct {
	elapsed int64  // ns since the start
	scan    uint64 // counts the samples of the device
	state   state
	phase   float64 // of the cycle, from 0 to 1; 0 unless it runs
	heat    float64 // from 0 to 1
	parts   int64   // of the order
	order   int64
}

func (m *machine) moment(s *spell, elapsed int64, scan uint64) moment {
	since := elapsed - s.begin
	now := moment{
		elapsed: elapsed, scan: scan, state: s.stateAfter(since), heat: s.heatAfter(m, since),
		parts: s.parts + s.cycles(m, since), order: s.order,
	}
	if now.state == running {
		now.phase = float64((since-s.run)%m.cycle) / float64(m.cycle)
	}
	return now
}
