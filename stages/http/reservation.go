package http

import (
	nethttp "net/http"

	"golang.org/x/sync/semaphore"
)

// reservation is what a request takes of maxPendingBytes: what is allocated for
// it, before it is.
type reservation struct {
	pending *semaphore.Weighted
	taken   int64
}

// grow takes n bytes more, or says that others have them: for one request alone
// there is room enough (see SourceConfig.leastPendingBytes).
func (r *reservation) grow(n int64) error {
	if !r.pending.TryAcquire(n) {
		return refuse(nethttp.StatusServiceUnavailable, "too many bytes are pending")
	}
	r.taken += n
	return nil
}

// shrink gives n bytes back.
func (r *reservation) shrink(n int64) {
	r.taken -= n
	r.pending.Release(n)
}

// free gives everything back.
func (r *reservation) free() { r.shrink(r.taken) }
