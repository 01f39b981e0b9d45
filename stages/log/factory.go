package log

import "github.com/kraft-edge/datafeed/feed"

// Factories returns the factory of the log sink.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("log", "Prints messages, or logs them, for trying things; not durable.", DefaultConfig, NewSink),
	}
}
