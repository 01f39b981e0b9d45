package demo

import (
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// progress is what is shown while the demo runs.
type progress struct {
	Phase   string
	Final   bool          // the demo is over, and the figures are those of the report
	Elapsed time.Duration // since the start of the demo
	Passed  time.Duration // of Total
	Total   time.Duration // of what the bar shows: the start, then sending
	Made    uint64        // different readings that the devices have sent to one of both
	Hops    []hop
	Places  []arrivedAt
	Held    uint64 // batches in the quarantine
	RSS     uint64 // bytes
}

// hop is a route.
type hop struct {
	Name, From, To string
	State          feed.State
	Reason         string
	Batches        uint64 // 0: it carries readings
	Readings       uint64
	InFlight       uint64  // deliveries
	Rate           float64 // readings a second
}

// arrivedAt is how many different readings a place has.
type arrivedAt struct {
	Name  string
	N     uint64
	Files int // 0: it has none
}

// meter measures the rate of a counter over the last seconds.
type meter struct {
	samples []sample
}

type sample struct {
	at time.Time
	n  uint64
}

// meterWindow is how far a rate looks back.
const meterWindow = 3 * time.Second

// rate records that the counter stands at n, and returns its rate a second. The
// time before it has begun to count does not count.
func (m *meter) rate(at time.Time, n uint64) float64 {
	if n == 0 {
		m.samples = m.samples[:0]
	}
	m.samples = append(m.samples, sample{at, n})
	for len(m.samples) > 2 && at.Sub(m.samples[1].at) >= meterWindow {
		m.samples = m.samples[1:]
	}
	first := m.samples[0]
	if span := at.Sub(first.at); span > 0 && n > first.n {
		return float64(n-first.n) / span.Seconds()
	}
	return 0
}
