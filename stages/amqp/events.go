package amqp

import "github.com/kraft-edge/datafeed/feed"

// The events that the stages count: see docs/metrics.md.
const (
	eventConnected      = "connected"
	eventConnectionLost = "connection_lost"

	// Of the sink alone.
	eventBlocked    = "publisher_blocked"
	eventUnroutable = "message_unroutable"
	eventRefused    = "message_refused"
)

func newSourceEvents() *feed.EventCounts {
	return feed.NewEventCounts(eventConnected, eventConnectionLost)
}

func newSinkEvents() *feed.EventCounts {
	return feed.NewEventCounts(eventConnected, eventConnectionLost, eventBlocked, eventUnroutable, eventRefused)
}

// Events implements [feed.EventCounter].
func (s *Source) Events() map[string]uint64 { return s.conn.events.Events() }

// Events implements [feed.EventCounter].
func (s *Sink) Events() map[string]uint64 { return s.conn.events.Events() }
