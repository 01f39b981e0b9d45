package feed

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"
)

// progress is how far a route has come in a stream. The loop owns it.
type progress struct {
	source OffsetSubscriber
	sink   Checkpointer
	stream string

	resume  Resumption
	begun   bool   // the subscription has handed something out
	at      uint64 // the last offset that it has handed out
	first   uint64 // of the range in hand
	inHand  int    // deliveries of that range
	pending int    // deliveries of the pending range that have not come yet
	counted uint64 // gaps before this offset are counted: a subscription may see them again
	gaps    []gap  // that are not judged yet
	// The range in hand may still grow. Its limits count what the transforms make:
	// a delivery may be a batch of a thousand messages, packed.
	closed bool
	until  time.Time // when it does not grow any more; zero before its first delivery
	bytes  Size      // payloads that were read
	made   Size      // payloads that the transforms have made
	yield  int       // messages that a delivery makes, on average; 0 before the first
	weight Size      // and the bytes of these
	// changed says why the stream is not the one that the sink knows: the next
	// subscription begins a new generation.
	changed error
}

// newProgress returns nil for a route without a sink that has checkpoints.
func newProgress(r Route) *progress {
	sink, ok := checkpointerOf(r.Sink)
	if !ok {
		return nil
	}
	source, stream, ok := streamOf(r.Source, r.Topic)
	if !ok {
		return nil // the route is not valid
	}
	return &progress{source: source, sink: sink, stream: stream}
}

// checkOffsets reports what keeps a stream and a sink with checkpoints apart.
func (r Route) checkOffsets(bad func(format string, a ...any)) {
	_, _, stream := streamOf(r.Source, r.Topic)
	_, alone := checkpointerOf(r.Sink)
	checkpoints := alone
	if r.Sink != nil {
		for _, s := range sinksOf(r.Sink) {
			_, ok := checkpointerOf(s)
			checkpoints = checkpoints || ok
		}
	}
	switch {
	case stream && !checkpoints && r.Sink != nil:
		bad("the source %s reads a stream, which keeps what was read, but the sink %s does not remember how far it has come: use a sink with checkpoints, or read a queue", r.SourceName, r.SinkName)
	case checkpoints && !stream && r.Source != nil:
		bad("the sink %s writes each offset of a stream exactly once, but the source %s has no offsets: read a stream, or turn the sink's checkpoints off", r.SinkName, r.SourceName)
	case checkpoints && !alone:
		bad("a sink with checkpoints stands in feed.All, but must be the only one of its route: give it a route of its own")
	}
	if checkpoints && r.Order != OrderWire {
		bad("a sink with checkpoints needs the order wire, not %s", r.Order)
	}
}

// endError ends the route, whatever was settled before.
type endError struct{ err error }

func (e *endError) Error() string { return e.err.Error() }
func (e *endError) Unwrap() error { return e.err }

// ending marks the errors of a sink with checkpoints that no retry can mend.
func ending(err error) error {
	var config *ConfigError
	if errors.Is(err, ErrFenced) || errors.As(err, &config) {
		return &endError{err}
	}
	return err
}

// changedError ends a subscription: the stream is not the one that the sink
// knows.
type changedError struct{ reason string }

func (e *changedError) Error() string { return e.reason }

// openStream asks the sink where to go on, and subscribes there.
func (r *runner) openStream() (Subscription, error) {
	p := r.progress
	resume, err := p.sink.Resume(r.soft, p.stream)
	if err == nil && p.changed != nil {
		resume, err = r.renew(p.changed)
	}
	if err != nil {
		return nil, fmt.Errorf("sink %s: %w", r.SinkName, ending(err))
	}
	sub, err := p.source.SubscribeFrom(r.soft, r.Topic, resume)
	if errors.Is(err, ErrStreamEndsBefore) {
		if resume, err = r.renew(err); err != nil {
			return nil, fmt.Errorf("sink %s: %w", r.SinkName, ending(err))
		}
		sub, err = p.source.SubscribeFrom(r.soft, r.Topic, resume)
	}
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", r.SourceName, err)
	}
	p.resume, p.begun = resume, false
	if resume.Pending != nil {
		p.pending = resume.Pending.Deliveries
	}
	r.notePosition()
	return sub, nil
}

// renew begins a new generation.
func (r *runner) renew(why error) (Resumption, error) {
	resume, err := r.progress.sink.Renew(r.soft)
	if err != nil {
		return Resumption{}, err
	}
	r.progress.changed, r.progress.counted = nil, 0
	r.log.Warn("the stream is not the one that was stored: a new generation begins at its first offset, and what it still holds of the old one is stored again",
		"stream", r.progress.stream, "generation", resume.Generation, "reason", why)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Offsets.Renewed++
	return resume, nil
}

// notePosition shows in the status how far the sink has come.
func (r *runner) notePosition() {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.counts.Offsets
	s.Generation, s.Committed = r.progress.resume.Generation, -1
	if c := r.progress.resume.Committed; c != nil {
		s.Committed = int64(c.Offset) //nolint:gosec // a stream has no 2^63 messages
	}
}

// gatherRange takes what the next batch is to cover: all of a pending range,
// whatever the limits of a batch, or else a few deliveries more.
func (r *runner) gatherRange() error {
	var err error
	if p := r.progress; p.pending > 0 {
		p.closed = true
		err = r.gatherPending()
	} else {
		err = r.grow()
	}
	if !r.uncommitted() { // at most the one that is stored has come
		if settleErr := r.settle(); settleErr != nil {
			return settleErr
		}
	}
	return err
}

// grow adds a few deliveries to the range in hand. It blocks for the first of them,
// but not beyond the batch's delay.
func (r *runner) grow() error {
	p := r.progress
	if p.inHand == 0 { // a new range begins
		p.closed, p.until, p.bytes, p.made = false, time.Time{}, 0, 0
	}
	_, size, err := r.receive(p.until, r.fewMore())
	p.bytes += size
	if p.inHand > 0 && p.until.IsZero() {
		p.until = time.Now().Add(r.Batch.MaxDelay)
	}
	switch {
	case err == nil:
		p.closed = r.Batch.MaxDelay <= 0
		return nil
	case r.soft.Err() != nil:
		err = errStopped
	case errors.Is(err, context.DeadlineExceeded):
		err = nil
	}
	p.closed = true
	return err
}

// fewDeliveries bounds what is taken before it is known what is made of it, and
// firstDeliveries as long as nothing is.
const (
	fewDeliveries   = 100
	firstDeliveries = 10
)

// fewMore is how many deliveries should make no more than the range has room for.
func (r *runner) fewMore() int {
	p := r.progress
	messages, bytes := r.makes()
	room, roomBytes := r.Batch.MaxMessages-messages, r.Batch.MaxBytes-bytes
	if p.inHand > 0 {
		p.yield, p.weight = max(1, messages/p.inHand), max(1, bytes/Size(p.inHand))
	}
	if p.yield == 0 {
		return min(room, firstDeliveries)
	}
	return max(1, min(room/p.yield, int(roomBytes/p.weight), fewDeliveries))
}

// makes is how much the range in hand makes: of what was read and what was made of
// it, whatever is more.
func (r *runner) makes() (messages int, bytes Size) {
	p := r.progress
	return max(p.inHand, len(r.queue)), max(p.bytes, p.made)
}

// complete reports whether the range in hand has grown to the end.
func (r *runner) complete() bool {
	messages, bytes := r.makes()
	return r.progress.closed || messages >= r.Batch.MaxMessages || bytes >= r.Batch.MaxBytes
}

func (r *runner) gatherPending() error {
	p := r.progress
	for p.pending > 0 {
		more := p.pending
		if !p.begun {
			more = 1 // it may be the one at the committed offset, which is not part of it
		}
		_, _, err := r.receive(time.Time{}, more)
		switch {
		case err == nil:
		case r.soft.Err() != nil:
			return errInterrupted
		case errors.Is(err, io.EOF):
			return &changedError{"it ended within a range that was being written"}
		default:
			return err
		}
	}
	return nil
}

// place checks that deliveries go on where the sink wants it, before they are
// admitted, and reports whether the first one is stored already.
func (r *runner) place(ds []Delivery) (stored bool, err error) {
	p := r.progress
	for i, d := range ds {
		var known bool
		if known, err = p.next(d); err != nil {
			break
		}
		stored = stored || known && i == 0
	}
	missing, judgeErr := r.judgeGaps()
	if missing > 0 {
		r.log.Error("the retention of the stream has dropped messages that were not read yet", "stream", p.stream, "offsets", missing, "before", p.at)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Offsets.Missing += missing
	if p.begun {
		r.counts.Offsets.Received = int64(p.at) //nolint:gosec // a stream has no 2^63 messages
	}
	return stored, errors.Join(err, judgeErr)
}

// gap is offsets [from, to) at which there is no message. Retention drops from the
// beginning on: when a message before them is still there, they never had one.
// (RabbitMQ notes who publishes, at an offset of its own at the begin of each
// segment, and what clients of the stream protocol store.)
type gap struct{ from, to uint64 }

// judgeGaps returns how many offsets retention has dropped that are not counted yet.
func (r *runner) judgeGaps() (missing uint64, err error) {
	p := r.progress
	gaps := p.gaps
	p.gaps = p.gaps[:0]
	if len(gaps) == 0 {
		return 0, nil
	}
	earliest, err := p.source.Earliest(r.soft, r.Topic)
	if err != nil {
		return 0, fmt.Errorf("look for the first message of stream %s: %w", p.stream, err) // the gap is met again
	}
	for _, g := range gaps {
		if earliest >= g.from {
			missing += p.count(g)
		}
	}
	return missing, nil
}

// count returns how many offsets of a gap are not counted yet.
func (p *progress) count(g gap) uint64 {
	from := max(g.from, p.counted)
	p.counted = max(p.counted, g.to)
	return max(from, g.to) - from
}

// next takes the next delivery, and reports whether it is stored already.
func (p *progress) next(d Delivery) (stored bool, err error) {
	offset := d.Tag - 1
	switch {
	case !p.begun:
		if stored, err = p.begin(d); err != nil {
			return false, err
		}
	case offset <= p.at:
		return false, fmt.Errorf("offset %d came after offset %d", offset, p.at)
	case offset > p.at+1:
		p.gaps = append(p.gaps, gap{p.at + 1, offset})
	}
	p.begun, p.at = true, offset
	if stored {
		return true, nil
	}
	p.inHand++
	if p.pending > 0 {
		if p.pending--; p.pending == 0 && positionOf(d) != p.resume.Pending.Last {
			err = &changedError{fmt.Sprintf("another message stands at offset %d, where a range ended that was being written", p.resume.Pending.Last.Offset)}
		}
	}
	return false, err
}

// begin judges the first delivery of a subscription: whether it is the one
// that was committed last; if not, there is a gap before it.
func (p *progress) begin(d Delivery) (stored bool, err error) {
	committed, pending, offset := p.resume.Committed, p.resume.Pending, d.Tag-1
	p.first = offset
	if committed != nil {
		switch {
		case offset < committed.Offset:
			return false, fmt.Errorf("the source began at offset %d instead of %d", offset, committed.Offset)
		case offset == committed.Offset && positionOf(d) != *committed:
			return false, &changedError{fmt.Sprintf("another message stands at the committed offset %d", offset)}
		case offset <= committed.Offset+1:
			p.first = committed.Offset + 1
			stored = offset == committed.Offset
		default:
			p.gaps = append(p.gaps, gap{committed.Offset + 1, offset})
		}
	}
	if pending != nil && pending.First != p.first {
		return false, &changedError{fmt.Sprintf("a range that was being written began at offset %d, but the stream goes on at offset %d", pending.First, offset)}
	}
	return stored, nil
}

func positionOf(d Delivery) Position {
	return Position{Offset: d.Tag - 1, SHA256: sha256.Sum256(d.Message.Payload)}
}

// skipStored ends the first delivery of a subscription, which the sink has.
func (r *runner) skipStored() {
	e := r.inbox[0]
	r.inbox = r.inbox[1:]
	r.filter(e, e.msg, "already stored")
	e.transformed = true
}

// rangeInHand returns what the batch in hand covers.
func (r *runner) rangeInHand() *Range {
	last := r.window[len(r.window)-1]
	return &Range{
		First:      r.progress.first,
		Last:       Position{Offset: last.tag - 1, SHA256: sha256.Sum256(last.payload)},
		Deliveries: r.progress.inHand,
	}
}

// commit publishes the range in hand, once the transforms are done with it and
// nothing of it waits for the quarantine: what is committed never comes again.
func (t *turn) commit(ctx context.Context) error {
	r := t.r
	if r.progress.inHand == 0 || len(r.inbox) > 0 || len(r.condemned) > 0 || !r.complete() {
		return nil
	}
	r.batch = append(r.batch[:0], r.queue...)
	batch := r.batch
	b := &Batch{Messages: r.messages[:0], Received: r.window[0].received, Range: r.rangeInHand()}
	for _, o := range batch {
		b.Messages = append(b.Messages, o.msg)
	}
	err := r.publish(ctx, b, batch)
	r.messages = b.Messages
	clear(r.messages) // retain no message beyond its turn
	return r.committed(batch, b.Range, err)
}

// committed notes what a sink with checkpoints said about a range.
func (r *runner) committed(batch []*outgoing, covered *Range, err error) error {
	failed, unknown := failuresOf(err, len(batch))
	if unknown != nil {
		r.countRetries(len(batch))
		return fmt.Errorf("sink %s: %w", r.SinkName, ending(unknown))
	}
	if len(failed) == 0 {
		r.accept(batch, nil)
		r.dequeue()
		p := r.progress
		p.resume.Committed, p.resume.Pending = &covered.Last, nil
		p.first, p.inHand = covered.Last.Offset+1, 0
		r.notePosition()
		return nil
	}
	var transient error
	for _, f := range failed {
		if !IsPermanent(f.Err) {
			transient = fmt.Errorf("sink %s: %w", r.SinkName, f.Err)
			continue
		}
		batch[f.Index].done = true
		r.condemn(batch[f.Index], r.SinkName, f.Err)
	}
	r.dequeue()
	if transient != nil {
		r.countRetries(len(r.queue))
	}
	return transient
}
