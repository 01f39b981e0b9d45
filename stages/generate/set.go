package generate

import "github.com/google/wire"

// Set provides a [Source] and a [Generator] from their configuration.
var Set = wire.NewSet(NewSource, NewGenerator)
