package feed

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Batch is an ordered run of messages on its way to a sink. A sink reads it
// during PublishBatch and retains nothing of it.
type Batch struct {
	// Messages are what is to be published, in order.
	Messages []*message.Message
	// Received is when the oldest message of the batch was received. It stays
	// the same when the batch is tried again, and no other batch of the route
	// has the same.
	Received time.Time
	// Range is what the batch covers of a stream, for a sink that is a
	// [Checkpointer]; nil for all others.
	Range *Range

	// reached is feed.All's memory across tries: for each message a bit per
	// sink that has it. Parallel to Messages, or nil.
	reached []uint64

	placed func(i int, at Place) // nil: nobody asks where messages are
}

// NewBatch returns a batch of the given messages, received now. Routes make
// their own; this is for tests and for calling a sink directly.
func NewBatch(msgs ...*message.Message) *Batch {
	return &Batch{Messages: msgs, Received: time.Now()}
}

// Bytes returns the sum of the payload lengths.
func (b *Batch) Bytes() int {
	n := 0
	for _, m := range b.Messages {
		n += len(m.Payload)
	}
	return n
}
