package http

import (
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// request is what one HTTP request brought.
type request struct {
	origin origin
	items  []item
	free   func() // gives its bytes back; called once, when all of it has ended

	// Guarded by the backlog.
	open    int // items that have not ended
	ended   ended
	dropped bool // nobody waits for its end any more

	done chan struct{} // closed when all items have ended
}

// item is a message of a request.
type item struct {
	request *request
	index   int
	payload []byte
	again   bool // it was handed out before
}

// ended counts the messages of a request by how they ended. It is the answer.
type ended struct {
	Delivered   int `json:"delivered"`
	Filtered    int `json:"filtered"`
	Quarantined int `json:"quarantined"`
}

func (e *ended) add(o feed.Outcome) {
	switch o {
	case feed.Filtered:
		e.Filtered++
	case feed.Quarantined:
		e.Quarantined++
	default:
		e.Delivered++
	}
}

// backlog holds the messages of all requests that wait for their end.
type backlog struct {
	most int

	mu      sync.Mutex
	pending int     // messages that are waiting or handed out
	waiting []*item // in the order of arrival, those that were given back first
	closed  bool

	arrived chan struct{} // 1-buffered: there may be something
}

func newBacklog(most int) *backlog {
	return &backlog{most: most, arrived: make(chan struct{}, 1)}
}

// enter takes a request unless it is full or closed.
func (b *backlog) enter(r *request) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.pending+len(r.items) > b.most {
		return false
	}
	b.pending += len(r.items)
	r.open = len(r.items)
	for i := range r.items {
		b.waiting = append(b.waiting, &r.items[i])
	}
	b.signal()
	return true
}

func (b *backlog) signal() {
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// take hands out at most n messages.
func (b *backlog) take(n int) []*item {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.waiting))
	taken := b.waiting[:n:n]
	if b.waiting = b.waiting[n:]; len(b.waiting) == 0 {
		b.waiting = nil // so that the array goes
	} else {
		b.signal()
	}
	return taken
}

// giveBack puts what was handed out in front again, in order, but for what
// nobody waits for.
func (b *backlog) giveBack(items []*item) {
	b.mu.Lock()
	defer b.mu.Unlock()
	kept := make([]*item, 0, len(items)+len(b.waiting))
	for _, it := range items {
		if it.request.dropped {
			b.end(it)
			continue
		}
		it.again = true
		kept = append(kept, it)
	}
	b.waiting = append(kept, b.waiting...)
	b.signal()
}

// settle ends a message.
func (b *backlog) settle(it *item, o feed.Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	it.request.ended.add(o)
	b.end(it)
}

// end is called with mu held, once for each message.
func (b *backlog) end(it *item) {
	r := it.request
	b.pending--
	if r.open--; r.open == 0 {
		r.free()
		close(r.done)
	}
}

// drop forgets what of a request was not handed out: nobody waits for it.
func (b *backlog) drop(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.dropped = true
	kept := b.waiting[:0]
	for _, it := range b.waiting {
		if it.request == r {
			b.end(it)
			continue
		}
		kept = append(kept, it)
	}
	clear(b.waiting[len(kept):])
	b.waiting = kept
}

// left returns how many messages are waiting or handed out.
func (b *backlog) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.pending
}

// close makes enter refuse.
func (b *backlog) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}
