package validate

import (
	"sync"
	"time"
)

// progress is what is told of a run while it goes on.
type progress struct {
	mu      sync.Mutex
	phase   string
	reached int64
	counts  Counts
}

const tellEvery = 250 * time.Millisecond

// say notes how far the run is.
func (r *run) say(phase string, window int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.phase, r.reached, r.counts = phase, window, r.Findings.Counts
}

// tell tells of progress until it is stopped, and then once more.
func (r *run) tell() (stop func()) {
	if r.Progress == nil {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(tellEvery)
		defer tick.Stop()
		for {
			select {
			case <-done:
				r.Progress(r.now())
				return
			case <-tick.C:
				r.Progress(r.now())
			}
		}
	}()
	return func() { close(done); <-gone }
}

func (r *run) now() Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := r.query(max(r.reached, r.first), 1)
	return Progress{
		From: r.query(r.first, 1).From, Reached: at.From, To: r.query(r.last, 1).From, Phase: r.phase,
		Expected: r.costs(expected), Observed: r.costs(observed), Counts: r.counts,
	}
}

// costs is what was read of a side in this run.
func (r *run) costs(side int) Costs {
	c, b := r.sides[side].Costs(), r.before[side]
	return Costs{
		Requests: c.Requests - b.Requests, Retries: c.Retries - b.Retries, Objects: c.Objects - b.Objects,
		Bytes: c.Bytes - b.Bytes, Readings: c.Readings - b.Readings,
	}
}
