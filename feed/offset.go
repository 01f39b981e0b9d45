package feed

import (
	"context"
	"crypto/sha256"
	"errors"
)

// Position is a place in a stream: an offset, and what stood there.
type Position struct {
	Offset uint64
	// SHA256 is the hash of the payload as the source handed it out.
	SHA256 [sha256.Size]byte
}

// Range is what a batch covers of a stream: every delivery from First up to
// and including Last, also those that were filtered or quarantined.
type Range struct {
	// First is the offset after the last one of the range before, so that
	// ranges follow each other without a hole; after a gap it is the first
	// offset behind it.
	First uint64
	Last  Position
	// Deliveries is how many there are: offsets may have holes.
	Deliveries int
}

// Resumption says where a sink with checkpoints wants a stream to go on.
type Resumption struct {
	// Generation counts the streams that have had this name: it grows when the
	// stream is not the one that the sink knows. 1 for the first.
	Generation uint64
	// Committed is the last position of the last range that is complete; nil
	// when there is none: the stream is then read from its first offset.
	Committed *Position
	// Pending is a range that the sink had begun to write: the next batch must
	// cover exactly this one. Nil when there is none.
	Pending *Range
}

// Reach returns the offset that the stream must at least reach if it is still
// the one that the sink knows, and false when any stream will do.
func (r Resumption) Reach() (offset uint64, ok bool) {
	switch {
	case r.Pending != nil:
		return r.Pending.Last.Offset, true
	case r.Committed != nil:
		return r.Committed.Offset, true
	}
	return 0, false
}

// ErrStreamEndsBefore is what SubscribeFrom returns when the stream ends before
// the offset that it is to reach: it was declared anew, or has lost its end.
var ErrStreamEndsBefore = errors.New("the stream ends before what was stored of it")

// OffsetSubscriber is the optional interface of a source whose messages stay
// where they are when they were read, each at an offset of its own, such as a
// stream. Its route needs a sink that is a [Checkpointer]. The tag of a
// delivery is its offset plus one. Settling tells the source nothing.
type OffsetSubscriber interface {
	// Stream returns the name of what topic, or the source's own configuration
	// when that is empty, stands for; ok is false when it has no offsets.
	Stream(topic string) (name string, ok bool)
	// SubscribeFrom is [BatchSubscriber.SubscribeBatch] from a given place on:
	// the first delivery is the one at the offset r.Committed or, when that is
	// not there any more, the first one after it; without r.Committed it is
	// the first one that there is. It returns an error that is
	// [ErrStreamEndsBefore] when the stream does not reach r.Reach: it waits
	// for no message that may never come without having looked.
	SubscribeFrom(ctx context.Context, topic string, r Resumption) (Subscription, error)
	// Earliest returns the offset of the first message that there is. It is asked
	// where offsets have no message: what keeps the stream may use some for itself.
	Earliest(ctx context.Context, topic string) (uint64, error)
}

// ErrFenced ends a route: another process has taken over what it writes.
var ErrFenced = errors.New("another process has taken over")

// Checkpointer is the optional interface of a sink that remembers up to where
// it has written a stream, so that each message is written exactly once. Its
// route is the only one that writes there, has no other sink, keeps the wire's
// order, and reads from an [OffsetSubscriber].
//
// PublishBatch of such a sink gets batches with a [Batch.Range], which may have
// no messages, and is all or nothing. Nil says that all messages are durable
// and the range is committed. Otherwise nothing is committed: a *[BatchError]
// with permanent failures alone asks for the same range again, without those
// messages; after any other error the same batch comes again, in this life or,
// as far as the sink had begun to write it, as [Resumption.Pending] in the
// next. An error that is [ErrFenced] or a *[ConfigError] ends the route.
type Checkpointer interface {
	// Checkpoints reports whether the sink does so as it is configured.
	Checkpoints() bool
	// Resume returns where the stream is to go on. The first call takes over
	// from whoever wrote before, whose next write fails; a later one returns
	// [ErrFenced] when somebody else has taken over since.
	Resume(ctx context.Context, stream string) (Resumption, error)
	// Renew begins a new generation, in which nothing is committed: the stream
	// is not the one that Resume knows.
	Renew(ctx context.Context) (Resumption, error)
}

// checkpointerOf returns a sink as a Checkpointer, if it is one as configured.
func checkpointerOf(sink any) (Checkpointer, bool) {
	c, ok := sink.(Checkpointer)
	return c, ok && c.Checkpoints()
}

// streamOf returns a route's source as an OffsetSubscriber with the name of its
// stream, if it has one.
func streamOf(source any, topic string) (s OffsetSubscriber, name string, ok bool) {
	if s, ok = source.(OffsetSubscriber); ok {
		name, ok = s.Stream(topic)
	}
	return s, name, ok
}
