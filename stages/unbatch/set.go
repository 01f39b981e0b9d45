package unbatch

import "github.com/google/wire"

// Set provides an [Unbatch] from its configuration.
var Set = wire.NewSet(NewUnbatch)
