package http

import (
	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed"
)

// Set provides the stages of this package.
var Set = wire.NewSet(NewSource, NewSink)

// Factories returns the factories of the http source and the http sink.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SourceFactory("http", "Takes messages from HTTP requests (webhooks), answered when they are durable.", DefaultSourceConfig, NewSource),
		feed.SinkFactory("http", "Sends messages as HTTP requests, singly or in batches.", DefaultSinkConfig, NewSink),
	}
}
