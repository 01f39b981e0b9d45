package generate

import "github.com/kraft-edge/datafeed/feed"

// Factories returns the factory of the generate source.
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SourceFactory("generate", "Makes the readings of a simulated factory, for trying things.", DefaultConfig, NewSource),
	}
}
