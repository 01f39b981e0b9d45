package mqtt

import (
	"sync"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/readahead"
)

// inbox is where deliveries wait for Receive.
type inbox struct {
	*readahead.Buffer[*delivery]
	crowded chan struct{} // closed when the reader has had to wait
	once    sync.Once
}

func newInbox(limit feed.Size) *inbox {
	return &inbox{Buffer: readahead.New(limit, (*delivery).size), crowded: make(chan struct{})}
}

// put appends a delivery as Put does, and notes that the reader has to wait.
func (b *inbox) put(d *delivery) bool { return b.Put(d, b.crowd) }

func (b *inbox) crowd() {
	b.Signal()
	b.once.Do(func() { close(b.crowded) })
}
