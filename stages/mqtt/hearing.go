package mqtt

import (
	"net"
	"sync/atomic"
	"time"
)

// hearing notes when something was last read from a connection, be it a piece
// of a packet that takes long: a peer that sends is alive, even when its answer
// is still behind what it sends.
type hearing struct {
	nc   net.Conn
	last atomic.Int64 // in nanoseconds since 1970
}

func (h *hearing) Read(p []byte) (int, error) {
	n, err := h.nc.Read(p)
	if n > 0 {
		h.last.Store(time.Now().UnixNano())
	}
	return n, err
}

// since returns t, or when something was last heard if that is later.
func (h *hearing) since(t time.Time) time.Time {
	if heard := time.Unix(0, h.last.Load()); heard.After(t) {
		return heard
	}
	return t
}
