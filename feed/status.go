package feed

import "time"

// State is what a route is doing.
type State string

// The states of a route.
const (
	// StateStarting: the source has not been reached yet, or is being reached
	// again.
	StateStarting State = "starting"
	// StateRunning: messages flow when there are any.
	StateRunning State = "running"
	// StateRetrying: the sink, a transform or the quarantine refuses; the
	// source is held back.
	StateRetrying State = "retrying"
	// StatePaused: the deliveries were given back; the route waits for a probe
	// to succeed.
	StatePaused State = "paused"
	// StateDraining: the feed stops; what is in flight is being finished.
	StateDraining State = "draining"
	// StateStopped: the route has ended.
	StateStopped State = "stopped"
)

// Status is a snapshot of a feed, in a form that encodes to JSON.
type Status struct {
	Feed    string        `json:"feed"`
	Started time.Time     `json:"started"`
	Ready   bool          `json:"ready"`
	Routes  []RouteStatus `json:"routes"`
}

// RouteStatus is a snapshot of a route.
type RouteStatus struct {
	Name   string    `json:"name"`
	Source string    `json:"source"`
	Sink   string    `json:"sink"`
	State  State     `json:"state"`
	Reason string    `json:"reason,omitempty"` // why it is not running
	Since  time.Time `json:"since"`            // of the state
	Ready  bool      `json:"ready"`

	// Deliveries accounts for what the source handed out, Produced for the
	// messages that the transforms made of it.
	Deliveries Account `json:"deliveries"`
	Produced   Account `json:"produced"`

	Batches     uint64 `json:"batches"`     // batches that were settled
	Retries     uint64 `json:"retries"`     // messages that had to be sent again
	Redelivered uint64 `json:"redelivered"` // deliveries that the broker had handed out before
	Reordered   uint64 `json:"reordered"`   // messages refused transiently after a later one of their key was accepted
	SettleLost  uint64 `json:"settleLost"`  // deliveries that ended well but could not be settled: they come again
	Parked      int    `json:"parked"`      // messages of failing keys set aside now

	Offsets *OffsetStatus `json:"offsets,omitempty"` // of a route that reads a stream

	// Events is what has happened to the source and the sink, as far as they
	// count it: see [EventCounter].
	Events []StageEvent `json:"events,omitempty"`
	// Gauges are figures of the sink, as far as it has some: see [GaugeReader].
	Gauges []StageGauge `json:"gauges,omitempty"`
}

// OffsetStatus says how far a route has come in a stream.
type OffsetStatus struct {
	Stream     string `json:"stream"`
	Generation uint64 `json:"generation"` // 0 until the sink has been asked
	Committed  int64  `json:"committed"`  // last offset that is stored; -1 when there is none
	Received   int64  `json:"received"`   // last offset that the source has handed out; -1 when there is none
	// Missing counts the offsets that retention has dropped before they were read.
	Missing uint64 `json:"missing"`
	Renewed uint64 `json:"renewed"` // generations that were begun because the stream was another one
}
