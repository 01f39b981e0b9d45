package feedtest

import (
	"context"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// Quarantine is an in-memory quarantine that fails on command.
type Quarantine struct {
	// Fail decides about each Put; nil takes everything. Set it before use.
	Fail func() error

	mu    sync.Mutex
	items []feed.QuarantineItem
}

// Put implements [feed.Quarantine].
func (q *Quarantine) Put(_ context.Context, items []feed.QuarantineItem) error {
	if q.Fail != nil {
		if err := q.Fail(); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.items = append(q.items, items...)
	return nil
}

// Probe implements [feed.Prober].
func (q *Quarantine) Probe(context.Context) error {
	if q.Fail != nil {
		return q.Fail()
	}
	return nil
}

// Items returns what was stored, in order.
func (q *Quarantine) Items() []feed.QuarantineItem {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]feed.QuarantineItem(nil), q.items...)
}
