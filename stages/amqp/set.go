package amqp

import (
	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed"
)

// Set provides the stages of this package.
var Set = wire.NewSet(NewSource, NewSink)

// Factories returns the factories of the amqp source and the amqp sink.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SourceFactory("amqp", "Consumes from a RabbitMQ queue (AMQP 0-9-1).", DefaultSourceConfig, NewSource),
		feed.SinkFactory("amqp", "Publishes to a RabbitMQ exchange with publisher confirms (AMQP 0-9-1).", DefaultSinkConfig, NewSink),
	}
}
