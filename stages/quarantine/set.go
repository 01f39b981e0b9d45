package quarantine

import (
	"github.com/google/wire"

	"github.com/kraft-edge/datafeed/feed"
)

// Set opens a [Store] from its configuration and provides it as the feed's
// quarantine. Whoever asks for it closes it.
var Set = wire.NewSet(Open, wire.Bind(new(feed.Quarantine), new(*Store)))
