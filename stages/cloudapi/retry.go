package cloudapi

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// The time between two tries doubles from the first to the longest.
const (
	firstInterval   = 200 * time.Millisecond
	longestInterval = 15 * time.Second
)

// retry says how long one request is tried again.
type retry struct {
	patience time.Duration
	begun    time.Time
	interval time.Duration
}

func newRetry(patience time.Duration) *retry {
	return &retry{patience: patience, begun: time.Now(), interval: firstInterval}
}

// excuse leaves a time out that was not this request's.
func (r *retry) excuse(d time.Duration) { r.begun = r.begun.Add(d) }

// after returns how long to wait before another try, or why there is none.
func (r *retry) after(f *failure) (time.Duration, error) {
	// Between half of the interval and all of it, so that many do not come back at
	// the same moment.
	wait := max(r.interval/2+rand.N(r.interval/2), f.retryAfter)
	r.interval = min(2*r.interval, longestInterval)
	switch left := r.patience - time.Since(r.begun); {
	case f.retryAfter > left:
		return 0, fmt.Errorf("%w; it asks for a pause of %v, for which patience (%v) is too short: raise it, or come back later", f, f.retryAfter, r.patience)
	case wait > left:
		return 0, fmt.Errorf("%w; patience (%v) has ended: raise it, or come back later", f, r.patience)
	}
	return wait, nil
}

// pause is a time during which the API wants to be left alone. It is for
// concurrent use.
type pause struct {
	mu  sync.Mutex
	end time.Time
}

func (p *pause) until(end time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if end.After(p.end) {
		p.end = end
	}
}

// wait returns when the pause is over, and how long it has waited.
func (p *pause) wait(ctx context.Context) (time.Duration, error) {
	p.mu.Lock()
	left := time.Until(p.end)
	p.mu.Unlock()
	return max(left, 0), sleep(ctx, left)
}

// sleep returns after a time, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
