package amqp

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// An acknowledgement is a write here and, in a quorum queue, an entry of the
// replicated log there, no matter how many deliveries it covers, and nobody
// downstream waits for it. So settlements that follow the last acknowledgement
// closely wait for others. What waits when the connection is lost comes again,
// as it does when an acknowledgement is lost on its way.
const (
	// ackEvery is the time from an acknowledgement to the next one.
	ackEvery = 10 * time.Millisecond
	// ackLate is how long settlements wait when no others come. It is long
	// because the timer has a cost of its own.
	ackLate = 100 * time.Millisecond
)

// acks are the settlements of which the broker does not know.
type acks struct {
	owed  []uint64    // tags
	most  int         // that may be owed: above, the broker might run out of prefetch
	last  time.Time   // when something was acknowledged
	late  *time.Timer // fires when what is owed has waited for long
	armed bool        // late will fire
}

// newAcks calls late from a goroutine of its own.
func newAcks(prefetch int, late func()) acks {
	a := acks{most: prefetch / 8, late: time.AfterFunc(math.MaxInt64, late)}
	a.stop()
	return a
}

// owe adds settlements and reports whether it is time to acknowledge.
func (a *acks) owe(list []feed.Settlement) bool {
	for _, e := range list {
		a.owed = append(a.owed, e.Tag)
	}
	switch {
	case len(a.owed) > a.most || time.Since(a.last) >= ackEvery:
		return true
	case !a.armed && len(a.owed) > 0:
		a.armed = true
		a.late.Reset(ackLate)
	}
	return false
}

// acknowledge tells ch what is owed, given a tag below which everything is
// settled: all below it in one multiple-ack, the others one by one. It stays
// owed until paid is called.
func (a *acks) acknowledge(ch channel, below uint64) error {
	slices.Sort(a.owed)
	// A multiple-ack must name a delivery that is open for the broker, too. The
	// last one owed is; the ones before it may have been acknowledged already.
	head, _ := slices.BinarySearch(a.owed, below)
	if head > 0 {
		if err := ch.Ack(a.owed[head-1], head > 1); err != nil {
			return err
		}
	}
	for _, tag := range a.owed[head:] {
		if err := ch.Ack(tag, false); err != nil {
			return err
		}
	}
	return nil
}

// paid says that what was owed has been written.
func (a *acks) paid() {
	if len(a.owed) > 0 {
		a.last = time.Now()
	}
	a.owed = a.owed[:0]
}

// disown takes settlements, in the order of their tags, out of what is owed:
// their failure is reported otherwise.
func (a *acks) disown(list []feed.Settlement) {
	a.owed = slices.DeleteFunc(a.owed, func(tag uint64) bool {
		_, listed := slices.BinarySearchFunc(list, tag, func(e feed.Settlement, tag uint64) int { return cmp.Compare(e.Tag, tag) })
		return listed
	})
}

// stop keeps the timer from firing.
func (a *acks) stop() {
	a.late.Stop()
	a.armed = false
}
