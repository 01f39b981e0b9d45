package postgres

import (
	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Set provides the sink, the reader and the observation.
var Set = wire.NewSet(NewSink, OpenReader, NewObservation)

// Factories returns the factories of the postgres sink and observation.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("postgres", "Stores readings in PostgreSQL or TimescaleDB, each once.", DefaultConfig, NewSink),
		validate.ObservationFactory("postgres", "Observes what the postgres sink has stored.", DefaultObservationConfig, NewObservation),
	}
}
