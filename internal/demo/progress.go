package demo

import (
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// progress is what is shown while the demo runs.
type progress struct {
	Phase     string
	Final     bool          // the demo is over, and the figures are those of the report
	Elapsed   time.Duration // of publishing
	Total     time.Duration // of publishing; what it took when it is over
	Source    string        // "RabbitMQ" or "generator"
	Published uint64        // different readings handed to RabbitMQ, or by the generator
	Rate      float64       // readings published a second
	Routes    []routeProgress
	Received  uint64 // different readings that the MQTT subscriber has
	Lines     uint64 // in the blobs
	Objects   int
	RSS       uint64 // bytes
}

// routeProgress is a route.
type routeProgress struct {
	Name, From, To string
	State          feed.State
	Reason         string
	Delivered      uint64
	InFlight       uint64
	Rate           float64 // readings delivered a second
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

// rate records that the counter stands at n, and returns its rate a second.
func (m *meter) rate(at time.Time, n uint64) float64 {
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
