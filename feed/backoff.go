package feed

import (
	"math/rand/v2"
	"time"
)

// backoff is a delay that doubles from first to longest, with jitter: each
// delay lies between half of its nominal length and all of it, so that many
// feeds that lost the same broker do not come back at the same moment.
type backoff struct {
	first, longest time.Duration
	nominal        time.Duration
}

func (b *backoff) next() time.Duration {
	b.nominal = min(max(b.nominal*2, b.first), b.longest)
	if b.nominal <= 1 {
		return b.nominal
	}
	return b.nominal/2 + rand.N(b.nominal/2)
}

func (b *backoff) reset() { b.nominal = 0 }
