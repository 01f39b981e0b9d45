package host

import "time"

const (
	firstBackoff   = 50 * time.Millisecond
	longestBackoff = 10 * time.Second
)

// budget is how often a plugin may be restarted within a time.
type budget struct {
	restarts int
	within   time.Duration
	used     []time.Time
}

// use takes a restart out of the budget. It returns how long to wait before it; or,
// when the budget is used up, how long until the first of the restarts is forgotten.
func (b *budget) use(now time.Time) (wait time.Duration, left bool) {
	if n := b.spent(now); n >= b.restarts {
		if n == 0 {
			return b.within, false
		}
		return b.used[n-b.restarts].Add(b.within).Sub(now), false
	}
	wait = min(firstBackoff<<min(len(b.used), 10), longestBackoff)
	b.used = append(b.used, now)
	return wait, true
}

// spent forgets the restarts that are long ago, and returns how many count still.
func (b *budget) spent(now time.Time) int {
	for len(b.used) > 0 && now.Sub(b.used[0]) >= b.within {
		b.used = b.used[1:]
	}
	return len(b.used)
}
