package bridge

import "github.com/google/wire"

// Set provides a [Bridge] from its configuration.
var Set = wire.NewSet(NewBridge)
