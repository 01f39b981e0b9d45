package feed

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// entry is one delivery from when it is received until it is settled.
type entry struct {
	number   uint64 // in the tally of deliveries
	tag      uint64
	msg      *message.Message
	payload  message.Payload  // as it came; a transform may replace the message's
	metadata message.Metadata // as it came; nil when the source describes it
	id       string           // as it came; for the ledger alone, as is the topic
	topic    string
	received time.Time

	transformed bool    // the transforms are done with it
	open        int     // messages made of it that have not ended
	outcome     Outcome // the worst among those that have ended
	label       string  // of that outcome

	seen []seen // by transforms that want to know how it ends
	span Span   // nil: no tracer follows it

	only outgoing // the message made of it, when it is a single one: saves an allocation
}

// ended reports whether the delivery can be settled.
func (e *entry) ended() bool { return e.transformed && e.open == 0 }

// end notes how one message made of the entry ended. A
// delivery of which a part was quarantined counts as quarantined, one of which
// a part was delivered as delivered.
func (e *entry) end(o Outcome, label string) {
	if worse(o, e.outcome) {
		e.outcome, e.label = o, label
	}
}

// worse reports whether outcome a says more about a delivery than b.
func worse(a, b Outcome) bool {
	rank := [...]int{Filtered: 1, Delivered: 2, Quarantined: 3, Returned: 4}
	return rank[a] > rank[b]
}

// outgoing is one message that a sink is to take.
type outgoing struct {
	number    uint64 // in the tally of produced messages
	msg       *message.Message
	from      *entry
	fatal     uint8   // how often it stood at the head of a connection that the peer ended
	reordered bool    // counted: a later one of its key was accepted before it
	done      bool    // leaves the queue
	reached   uint64  // feed.All: a bit for each sink that has it
	places    []Place // for the ledger
}

// condemned is a message on its way to the quarantine.
type condemned struct {
	out   *outgoing
	stage string
	err   error
	time  time.Time
}
