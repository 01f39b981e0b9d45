package validator

import "github.com/google/wire"

// Set provides a [Sink] from its configuration.
var Set = wire.NewSet(NewSink)
