package amqp

import (
	"net"
	"time"
)

const (
	// restFor is how long the reader of a socket lets deliveries gather. Each
	// wake-up costs far more CPU time than a delivery, and each turn of the
	// route that follows one several wake-ups more: at 2,000 messages a second
	// that was most of a feed's cost. It is a little more than a whole number
	// of milliseconds, in which the runtime waits: less would make it wait twice.
	restFor = 3*time.Millisecond + 20*time.Microsecond
	// restPrefetch is the least prefetch of a consumer that rests: it bounds
	// what can gather, and so the rate.
	restPrefetch = 200
	// restBytes is how much may arrive during a rest without waking anyone.
	restBytes = 32 << 10
)

// rest lets deliveries gather in the socket while they come often. Few of them
// are not delayed: a reader that has waited for longer than half a rest does
// not rest. Nor does one of a TLS connection, where a read returns one record
// even if more are there, so that a backlog looks like deliveries that come
// often.
type rest struct {
	lowWater func(bytes int) // so many wake who waits to read; may be nil
	busy     bool            // what was read last had hardly been waited for
}

func newRest(raw net.Conn) rest { return rest{lowWater: lowWaterMark(raw)} }

// take is called before each read.
func (r *rest) take() {
	if !r.busy {
		return
	}
	if r.lowWater != nil {
		r.lowWater(restBytes)
		defer r.lowWater(1)
	}
	time.Sleep(restFor)
}

// read says how long a read took, and whether it filled its buffer: then more
// is there already.
func (r *rest) read(took time.Duration, full bool) { r.busy = !full && took < restFor/2 }
