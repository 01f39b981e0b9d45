package amqp

import (
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/readahead"
)

// inbox is where the deliveries of a consumer wait for Receive.
type inbox struct {
	*readahead.Buffer[*delivery]
	rests bool // what comes here may gather in the socket for a while
}

func newInbox(limit feed.Size) *inbox {
	return &inbox{Buffer: readahead.New(limit, (*delivery).size)}
}

// end makes every further take fail with err. What waits, and what still
// comes, is dropped: it could no longer be settled, and will come again.
func (b *inbox) end(err error) {
	b.End(err)
	b.Rest()
}
