package feedtest

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
)

// Quarantine is an in-memory quarantine that fails on command.
type Quarantine struct {
	// Fail decides about each Put; nil takes everything. Set it before use.
	Fail func() error
	// MaxMessages bounds what it holds; 0 is no bound. Set it before use.
	MaxMessages int

	mu      sync.Mutex
	items   []feed.QuarantineItem
	refused int // what did not fit last
}

var errQuarantineFull = errors.New("the quarantine is full")

// Put implements [feed.Quarantine].
func (q *Quarantine) Put(ctx context.Context, items []feed.QuarantineItem) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if q.Fail != nil {
		if err := q.Fail(); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full(len(items)) {
		q.refused = len(items)
		return errQuarantineFull
	}
	q.refused = 0
	for _, it := range items {
		it.Payload, it.Properties = bytes.Clone(it.Payload), bytes.Clone(it.Properties)
		q.items = append(q.items, it)
	}
	return nil
}

// full reports whether n more do not fit. The caller holds mu.
func (q *Quarantine) full(n int) bool { return q.MaxMessages > 0 && len(q.items)+n > q.MaxMessages }

// Probe implements [feed.Prober].
func (q *Quarantine) Probe(context.Context) error {
	if q.Fail != nil {
		if err := q.Fail(); err != nil {
			return err
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.full(max(1, q.refused)) {
		return errQuarantineFull
	}
	return nil
}

// Items returns what was stored, in order.
func (q *Quarantine) Items() []feed.QuarantineItem {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]feed.QuarantineItem(nil), q.items...)
}
