package mqtt

import (
	"github.com/google/wire"
	"github.com/kraft-edge/datafeed/feed"
)

// Set provides the stages of this package.
var Set = wire.NewSet(NewSource, NewSink)

// Factories returns the factories of this package's stages.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SourceFactory("mqtt", "Consumes topics of an MQTT 5 broker, in a session that outlives the feed.", DefaultSourceConfig, NewSource),
		feed.SinkFactory("mqtt", "Publishes to an MQTT 5 broker, many messages in flight, in order.", DefaultConfig, NewSink),
	}
}
