package stages

import "github.com/google/wire"

// Set provides the list of all factories.
var Set = wire.NewSet(All)
