package http

import (
	nethttp "net/http"

	"golang.org/x/sync/semaphore"
)

// reservation is what a request takes of maxPendingBytes: what is allocated for
// it, before it is.
type reservation struct {
	pending *semaphore.Weighted
	most    int64 // of pending
	taken   int64
}

// grow takes n bytes more, or says why not.
func (r *reservation) grow(n int64) error {
	if r.taken+n > r.most {
		return refuse(nethttp.StatusRequestEntityTooLarge, "the request takes more memory than maxPendingBytes, %d bytes", r.most)
	}
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
