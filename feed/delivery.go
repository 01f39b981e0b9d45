package feed

import (
	"fmt"
	"strings"
	"time"
)

// fatalTries is how often a message may stand at the head of a connection that
// the peer ended on purpose before it is sent alone.
const fatalTries = 2

// due chooses what goes to the sink now, in order: at most a batch.
func (r *runner) due() []*outgoing {
	defer r.park.nextRound()
	r.batch = r.batch[:0]
	var bytes Size
	now := time.Time{}
	for i, o := range r.queue {
		if len(r.batch) >= r.Batch.MaxMessages || bytes >= r.Batch.MaxBytes {
			break
		}
		if r.Order != OrderWire {
			if now.IsZero() {
				now = time.Now()
			}
			if !r.park.admit(o, now, i) {
				continue
			}
		}
		if o.fatal >= fatalTries {
			if len(r.batch) == 0 { // alone: if the peer ends the connection again, it was this one
				r.batch = append(r.batch, o)
			}
			break // otherwise first what stands before it
		}
		r.batch = append(r.batch, o)
		bytes += Size(len(o.msg.Payload))
	}
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
	failed, unknown := failuresOf(err, len(batch))
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
	for _, o := range batch {
		if o.done {
			r.park.free(o)
		}
	}
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
		// Some keys fail, the others go on, and nobody has to wait.
		r.refused = fmt.Errorf("sink %s: %w", r.SinkName, transient)
		return nil
	}
	return fmt.Errorf("sink %s: %w", r.SinkName, transient)
}

// accept ends all messages of a batch that did not fail, and returns their
// number.
func (r *runner) accept(batch []*outgoing, failed []Failure) int {
	accepted, now := len(batch)-len(failed), time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, o := range batch {
		if len(failed) > 0 && failed[0].Index == i {
			failed = failed[1:]
			continue
		}
		o.done = true
		r.endOutgoing(o, Delivered, "")
		r.note(o, Delivered, "", now)
	}
	return accepted
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
			items = append(items, QuarantineItem{Original: original, Route: r.Name, Stage: c.stage, Reason: firstLine(c.err), Time: c.time})
		}
	}
	if r.quarantine == nil {
		return fmt.Errorf("no quarantine is configured for a message that can never be delivered (write quarantine: {path: …}, or in Go set feed.Options.Quarantine, as with a store of stages/quarantine): %w", r.condemned[0].err)
	}
	if err := r.quarantine.Put(r.hard, items); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	r.logQuarantined()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.condemned {
		r.endOutgoing(c.out, Quarantined, c.stage)
		r.note(c.out, Quarantined, r.refusal(c), c.time)
		c.out.from.refused(r.refusal(c))
	}
	r.condemned = r.condemned[:0]
	return nil
}

// logQuarantined logs what was quarantined, at most once a second: a stream of
// bad messages must not fill the log as well.
func (r *runner) logQuarantined() {
	if r.unlogged == 0 {
		r.firstUnlogged = r.condemned[0]
		r.firstTrace = r.firstUnlogged.out.from.traceID()
	}
	r.unlogged += len(r.condemned)
	if now := time.Now(); now.Sub(r.loggedQuarantine) >= time.Second {
		c := r.firstUnlogged
		attrs := []any{"messages", r.unlogged, "firstStage", c.stage, "firstReason", firstLine(c.err)}
		if r.firstTrace != "" {
			attrs = append(attrs, "firstTrace", r.firstTrace)
		}
		r.log.Warn("quarantined", attrs...)
		r.unlogged, r.firstUnlogged, r.loggedQuarantine = 0, condemned{}, now
	}
}

// describe returns a delivery as it came from its source. A source that cannot
// describe it must not keep it out of the quarantine: then that is noted
// beside what the route knows.
func (r *runner) describe(e *entry) (Original, error) {
	metadata, origin := e.metadata, "source "+r.SourceName
	if d, ok := r.sub.(Describer); ok {
		original, err := d.Describe(e.tag)
		if err == nil {
			return original, nil
		}
		metadata, origin = e.msg.Metadata, fmt.Sprintf("%s, which cannot describe it: %v", origin, err)
	}
	return describeMessage(e.msg.UUID, e.payload, metadata, origin)
}

// firstLine keeps an error of many lines out of what has one.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
