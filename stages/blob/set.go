package blob

import "github.com/google/wire"

// Set provides the sink.
var Set = wire.NewSet(NewSink)
