package http

import (
	nethttp "net/http"

	"github.com/kraft-edge/datafeed/feed"
)

// The events that the stages count: see docs/metrics.md.
const (
	// Of the source.
	eventUnauthorized = "request_unauthorized"
	eventInvalid      = "request_invalid"
	eventSentAway     = "request_sent_away"

	// Of the sink.
	eventPause  = "pause_asked_for"
	eventHalved = "batch_halved"
)

func newSourceEvents() *feed.EventCounts {
	return feed.NewEventCounts(eventUnauthorized, eventInvalid, eventSentAway)
}

func newSinkEvents() *feed.EventCounts { return feed.NewEventCounts(eventPause, eventHalved) }

// refusalEvent is what a request with such an answer counts as.
func refusalEvent(status int) string {
	switch {
	case status == nethttp.StatusUnauthorized:
		return eventUnauthorized
	case status/100 == 4:
		return eventInvalid
	}
	return eventSentAway
}

// Events implements [feed.EventCounter].
func (s *Source) Events() map[string]uint64 { return s.events.Events() }

// Events implements [feed.EventCounter].
func (s *Sink) Events() map[string]uint64 { return s.events.Events() }
