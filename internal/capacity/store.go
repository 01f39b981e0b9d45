package capacity

import (
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Store is a place on a volume that grows by records.
type Store struct {
	Volume string
	Name   string // such as "queue telemetry-mqtt"
	Role   Role

	Rate   float64   // records that come in each second
	OnDisk float64   // bytes of disk that one takes
	Fixed  feed.Size // bytes of disk that it takes beside them, at most
	Held   float64   // bytes of disk that what is no buffer may take, whatever its records are like; 0: as many as its bounds let in
	Bounds []Bound
	Full   Effect // what happens at the first bound

	// Senders are the stores from which it is filled: when it holds back, what would
	// come waits there.
	Senders []string
}

// Bound is the most that a store holds, by one of its settings.
type Bound struct {
	Setting string // as it stands in the configuration, such as "maxBytes 4GiB"
	Records float64
}

// Role is what a store is for.
type Role string

// The roles.
const (
	// Buffer holds what cannot be delivered now: an outage fills it.
	Buffer Role = "buffer"
	// History keeps what was delivered.
	History Role = "history"
	// Refused holds what can never be delivered. It counts as full.
	Refused Role = "refused"
	// Notes are what a feed remembers of messages, and none itself. They count as
	// full.
	Notes Role = "notes"
)

// Effect is what happens when something is full.
type Effect string

// The effects.
const (
	Refuses     Effect = "refuses"
	DropsOldest Effect = "dropsOldest"
	DropsNewest Effect = "dropsNewest"
	Forgets     Effect = "forgets"
	Pauses      Effect = "pauses"
	Blocks      Effect = "blocksPublishers"
	Unsaved     Effect = "savesNothing"
)

// Loses reports whether messages are lost.
func (e Effect) Loses() bool { return e == DropsOldest || e == DropsNewest || e == Unsaved }

// HoldsBack reports whether those that send keep what they have, and nobody else
// is concerned.
func (e Effect) HoldsBack() bool { return e == Refuses || e == Pauses }

// String says the effect to people.
func (e Effect) String() string {
	switch e {
	case Refuses:
		return "holds back: senders keep theirs"
	case DropsOldest:
		return "LOSES the oldest"
	case DropsNewest:
		return "LOSES new ones, acknowledged"
	case Forgets:
		return "forgets the oldest"
	case Pauses:
		return "holds back: routes pause"
	case Blocks:
		return "holds back: disk alarm, all publishers wait"
	case Unsaved:
		return "LOSES what is acknowledged when it ends"
	}
	return string(e)
}

// limit returns the tightest bound; without one the records are infinitely many.
func (s *Store) limit() Bound {
	tightest := Bound{Records: math.Inf(1)}
	for _, b := range s.Bounds {
		if b.Records < tightest.Records {
			tightest = b
		}
	}
	return tightest
}

// growth is how many bytes of disk it takes more each second.
func (s *Store) growth() float64 { return s.Rate * s.OnDisk }

// most is how many bytes of disk its records take when it is full.
func (s *Store) most() float64 { return s.limit().Records * s.OnDisk }

// at is how many bytes of disk its records take some seconds after an outage
// began. What is no buffer is full, or grows.
func (s *Store) at(seconds float64) float64 {
	if s.Role == Refused || s.Role == Notes {
		if s.Held > 0 {
			return s.Held
		}
		if most := s.most(); !math.IsInf(most, 1) {
			return most
		}
	}
	return min(s.growth()*seconds, s.most())
}

// byBytes is a bound by bytes of which a record takes each.
func byBytes(setting string, bytes feed.Size, each float64) Bound {
	return Bound{setting + " " + asWritten(bytes), max(0, float64(bytes)) / each}
}

// byAge is a bound by the age of the oldest record.
func (s *Store) byAge(setting string, age time.Duration) Bound {
	return Bound{setting + " " + Span(age.Seconds()).String(), age.Seconds() * s.Rate}
}
