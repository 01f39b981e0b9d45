package feed

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// fatalTries is how often a message may stand at the head of a connection that
// the peer ended on purpose before it is sent alone.
const fatalTries = 2

// due chooses what goes to the sink now, in order: at most a batch.
func (r *runner) due() []*outgoing {
	r.batch = r.batch[:0]
	var bytes Size
	now := time.Time{}
	for i, o := range r.queue {
		if len(r.batch) >= r.Batch.MaxMessages || bytes >= r.Batch.MaxBytes {
			break
		}
		if o.fatal >= fatalTries {
			if len(r.batch) == 0 { // alone: if the peer ends the connection again, it was this one
				return append(r.batch, o)
			}
			break // first what stands before it
		}
		if r.Order != OrderWire {
			if now.IsZero() {
				now = time.Now()
			}
			if !r.park.admit(o, now, i) {
				continue
			}
		}
		r.batch = append(r.batch, o)
		bytes += Size(len(o.msg.Payload))
	}
	r.park.nextRound()
	return r.batch
}

// anyDue reports whether due would find something.
func (r *runner) anyDue() bool {
	if r.Order == OrderWire {
		return len(r.queue) > 0
	}
	defer r.park.nextRound()
	now := time.Now()
	for i, o := range r.queue {
		if r.park.admit(o, now, i) {
			return true
		}
	}
	return false
}

// published notes what a sink said about a batch, and returns an error when
// the route as a whole is to wait before it tries again.
func (r *runner) published(batch []*outgoing, err error) error {
	failed, unknown := r.failures(batch, err)
	if unknown != nil {
		r.countRetries(len(batch))
		return fmt.Errorf("sink %s: %w", r.SinkName, unknown)
	}
	if r.Order == OrderWire {
		r.noteReordered(batch, failed)
	}
	fresh := 0 // messages of keys that were not parked before
	for _, o := range batch {
		if !r.park.parked(o) {
			fresh++
		}
	}
	accepted := r.accept(batch, failed)
	var transient error
	retries := 0
	for _, f := range failed {
		o, err := batch[f.Index], f.Err
		if IsConnectionFatal(err) {
			if o.fatal++; o.fatal > fatalTries {
				err = Permanent(fmt.Errorf("the peer ended the connection %d times because of this message, the last time when it was sent alone: %w", o.fatal, err))
			}
		}
		if IsPermanent(err) {
			o.done = true
			r.condemn(o, r.SinkName, err)
			r.park.free(o)
			continue
		}
		retries++
		transient = err
		if r.Order != OrderWire {
			r.park.postpone(o)
		}
	}
	r.dequeue()
	if retries > 0 || r.Order != OrderWire {
		r.countRetries(retries)
	}
	switch {
	case transient == nil:
		return nil
	case r.Order != OrderWire && (accepted > 0 || fresh == 0):
		return nil // some keys fail, the others go on
	}
	return fmt.Errorf("sink %s: %w", r.SinkName, transient)
}

// accept ends all messages of a batch that did not fail, and returns their
// number.
func (r *runner) accept(batch []*outgoing, failed []Failure) int {
	accepted := len(batch) - len(failed)
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, o := range batch {
		if len(failed) > 0 && failed[0].Index == i {
			failed = failed[1:]
			continue
		}
		o.done = true
		r.endOutgoing(o, Delivered, "")
		r.park.free(o)
	}
	return accepted
}

// failures returns what failed, in order of the index; or why nothing is known.
func (r *runner) failures(batch []*outgoing, err error) ([]Failure, error) {
	if err == nil {
		return nil, nil
	}
	var failed *BatchError
	if !errors.As(err, &failed) || failed == nil {
		return nil, err
	}
	last := -1
	for _, f := range failed.Failures {
		if f.Err == nil {
			return nil, fmt.Errorf("it reported a failure of message %d without an error", f.Index)
		}
		if f.Index <= last || f.Index >= len(batch) {
			return nil, fmt.Errorf("it reported a failure (%w) of message %d of a batch of %d after one of %d: indexes must increase", f.Err, f.Index, len(batch), last)
		}
		last = f.Index
	}
	return failed.Failures, nil
}

// noteReordered counts the messages that failed while a later one of their key
// was accepted. They count now, not when they are delivered: that may be after
// they were given back, or in another life of the feed.
func (r *runner) noteReordered(batch []*outgoing, failed []Failure) {
	if len(failed) == 0 || len(failed) == len(batch) {
		return
	}
	next := len(failed) - 1
	accepted := map[string]bool{}
	for i := len(batch) - 1; i >= failed[0].Index; i-- {
		if next >= 0 && failed[next].Index == i {
			if o := batch[i]; !o.reordered && !IsPermanent(failed[next].Err) && accepted[r.Key(o.msg)] {
				o.reordered = true
				r.mu.Lock()
				r.counts.Reordered++
				r.mu.Unlock()
			}
			next--
			continue
		}
		accepted[r.Key(batch[i].msg)] = true
	}
}

// dequeue drops what is done from the queue.
func (r *runner) dequeue() {
	rest := r.queue[:0]
	for _, o := range r.queue {
		if !o.done {
			rest = append(rest, o)
		}
	}
	clear(r.queue[len(rest):])
	r.queue = rest
}

func (r *runner) countRetries(n int) {
	parked := r.park.count(r.queue)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts.Retries += uint64(n)
	r.counts.Parked = parked
}

// quarantineCondemned stores what can never be delivered. Until that has
// succeeded the messages stay in flight.
func (r *runner) quarantineCondemned() error {
	if len(r.condemned) == 0 {
		return nil
	}
	items := make([]QuarantineItem, 0, len(r.condemned))
	seen := map[*entry]bool{}
	for _, c := range r.condemned {
		if e := c.out.from; !seen[e] && e.outcome != Quarantined { // once for each delivery
			seen[e] = true
			original, err := r.describe(e)
			if err != nil {
				return fmt.Errorf("quarantine: %w", err)
			}
			items = append(items, QuarantineItem{Original: original, Route: r.Name, Stage: c.stage, Reason: c.err.Error(), Time: c.time})
		}
	}
	if r.quarantine == nil {
		return fmt.Errorf("no quarantine is configured for a message that can never be delivered: %w", r.condemned[0].err)
	}
	if err := r.quarantine.Put(r.hard, items); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	for _, c := range r.condemned {
		r.log.Warn("quarantined", "stage", c.stage, "reason", firstLine(c.err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.condemned {
		r.endOutgoing(c.out, Quarantined, c.stage)
	}
	r.condemned = r.condemned[:0]
	return nil
}

// describe returns a delivery as it came from its source.
func (r *runner) describe(e *entry) (Original, error) {
	if d, ok := r.sub.(Describer); ok {
		return d.Describe(e.tag)
	}
	return describeMessage(e.msg.UUID, e.payload, e.msg.Metadata, "source "+r.SourceName)
}

// firstLine keeps the stack of a panic out of a log line.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
