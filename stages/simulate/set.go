package simulate

import "github.com/google/wire"

// Set provides a [Source] and a [Simulator] from their configuration.
var Set = wire.NewSet(NewSource, NewSimulator)
