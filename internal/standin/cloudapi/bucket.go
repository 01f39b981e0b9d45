package cloudapi

import (
	"math"
	"sync"
	"time"
)

// bucket holds the requests that a client may make at once. It fills at a rate,
// up to that of a second, or one.
type bucket struct {
	rate float64 // a second; 0: no limit

	mu     sync.Mutex
	tokens float64
	at     time.Time // when tokens was right; zero: the bucket is full
}

// take takes a request. When there is none it returns how long until there is.
func (b *bucket) take(now time.Time) (wait time.Duration) {
	if b.rate == 0 {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	full := math.Max(1, b.rate)
	if b.at.IsZero() {
		b.tokens = full
	} else {
		b.tokens = math.Min(full, b.tokens+b.rate*math.Max(0, now.Sub(b.at).Seconds()))
	}
	b.at = now
	if b.tokens < 1 {
		return time.Duration((1 - b.tokens) / b.rate * float64(time.Second))
	}
	b.tokens--
	return 0
}
