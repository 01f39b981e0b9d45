package mqtt

import "github.com/kraft-edge/datafeed/feed"

// The events that the stages count: see docs/metrics.md.
const (
	eventConnected      = "connected"
	eventConnectionLost = "connection_lost"
	eventTokenRenewed   = "token_renewed"

	// Of the source alone.
	eventTakenOver   = "session_taken_over"
	eventClosedSoon  = "connection_closed_soon"
	eventSessionNew  = "session_new"
	eventSessionLost = "session_lost"
	eventQoS0Lost    = "qos0_lost"
)

func newSourceEvents() *feed.EventCounts {
	return feed.NewEventCounts(eventConnected, eventConnectionLost, eventTokenRenewed,
		eventTakenOver, eventClosedSoon, eventSessionNew, eventSessionLost, eventQoS0Lost)
}

func newSinkEvents() *feed.EventCounts {
	return feed.NewEventCounts(eventConnected, eventConnectionLost, eventTokenRenewed)
}

// Events implements [feed.EventCounter].
func (s *Sink) Events() map[string]uint64 { return s.events.Events() }

// Events implements [feed.EventCounter].
func (s *Source) Events() map[string]uint64 { return s.events.Events() }
