package validator

import "github.com/kraft-edge/datafeed/feed"

// Factories returns the factory of the validator sink.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("validator", "Keeps what arrives, and compares it with an expectation again and again.", DefaultConfig, NewSink),
	}
}
