package simulate

import "github.com/kraft-edge/datafeed/feed"

// Factories returns the factory of the simulate source.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SourceFactory("simulate", "Makes the batches of readings that the devices of a simulated factory send.", DefaultConfig, NewSource),
	}
}
