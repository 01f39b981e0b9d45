package simulate

import (
	"sync"
	"time"
)

// End lets sources that make the same batches end with the same one, whichever
// of them has come further. It is safe for concurrent use.
type End struct {
	// Begin, unless zero, is when they begin: with a rate, batches are due by the
	// time that has passed since, also those that nobody could take at first. Set it
	// before use.
	Begin time.Time

	mu      sync.Mutex
	begun   int64 // batches that one of the sources has begun with
	ended   bool
	sources []*Source
}

// Now has the sources hand out what one of them has begun with, and then end.
func (e *End) Now() {
	e.mu.Lock()
	e.ended = true
	sources := e.sources
	e.mu.Unlock()
	for _, s := range sources {
		s.Wake()
	}
}

// reached reports whether a source that has begun so many batches has ended.
func (e *End) reached(batches int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.ended && batches >= e.begun
}

// begin reports whether a source that has begun so many batches may begin with
// one more.
func (e *End) begin(batches int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ended && batches >= e.begun {
		return false
	}
	e.begun = max(e.begun, batches+1)
	return true
}
