package blob

import "github.com/google/wire"

// Set provides the sink and the observation.
var Set = wire.NewSet(NewSink, NewObservation)
