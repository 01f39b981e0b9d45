package mqtt

import (
	"github.com/google/wire"
	"github.com/kraft-edge/datafeed/feed"
)

// Set provides the stage's constructors.
var Set = wire.NewSet(NewSink, DefaultConfig)

// Factories returns the factories of this package's stages.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("mqtt", "Publishes to an MQTT 5 broker, many messages in flight, in order.", DefaultConfig, NewSink),
	}
}
