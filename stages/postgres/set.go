package postgres

import (
	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed"
)

// Set provides the sink and the reader.
var Set = wire.NewSet(NewSink, OpenReader)

// Factories returns the factory of the postgres sink.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("postgres", "Stores readings in PostgreSQL or TimescaleDB, each once.", DefaultConfig, NewSink),
	}
}
