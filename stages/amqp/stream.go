package amqp

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// quietStream is how long a stream may hand out nothing, where something
// should stand, before the source looks how far it reaches: the broker says
// nothing of an offset that it does not have.
const quietStream = 5 * time.Second

const (
	// growth is for how many times that a stream is watched that grows and does
	// not reach where it should.
	growth = 4
	// catchUp is how many times that a replica may take to catch up with the
	// others (15 minutes). Should it be another stream after all, that shows when
	// it has come that far.
	catchUp = 180
)

var _ feed.OffsetSubscriber = (*Source)(nil)

// Stream implements [feed.OffsetSubscriber]: a topic is a queue, and all of a
// source's queues are declared alike.
func (s *Source) Stream(topic string) (string, bool) {
	queue, err := s.queue(topic)
	return queue, err == nil && s.config.Declare.stream()
}

// errStream is what other ways to subscribe than SubscribeFrom return.
func (s *Source) errStream() error {
	if !s.config.Declare.stream() {
		return nil
	}
	return &feed.ConfigError{
		Key:     "declare.type",
		Problem: "is stream, and who reads a stream must remember how far",
		Remedy:  "write to a sink with checkpoints, such as blob with exactlyOnce: true; or read a queue",
	}
}

// warnOfStream is for a queue whose messages have offsets. It cannot be an error:
// messages that were moved from a stream to a queue may have theirs, too.
func (s *Source) warnOfStream(queue string) {
	s.log.Warn("the messages have offsets: if this is a stream, only those that come while the feed reads are read; write declare: {type: stream}", "queue", queue)
}

// SubscribeFrom implements [feed.OffsetSubscriber].
func (s *Source) SubscribeFrom(ctx context.Context, topic string, r feed.Resumption) (feed.Subscription, error) {
	queue, ok := s.Stream(topic)
	if !ok {
		return nil, &feed.ConfigError{Key: "declare.type", Problem: "is not stream, and only streams have offsets", Remedy: "write type: stream"}
	}
	l, err := s.conn.get(ctx)
	if err != nil {
		return nil, err
	}
	if err := bounded(ctx, l, s.config.ConnectTimeout, func() error { return prepareQueue(l, queue, s.config.Declare) }); err != nil {
		return nil, err
	}
	reach, bound := r.Reach()
	if r.Pending != nil {
		// Before anything is consumed: what nobody takes would hold up the rest
		// of the connection.
		if err := s.reaches(ctx, l, queue, reach); err != nil {
			return nil, err
		}
	}
	start := any("first")
	if r.Committed != nil {
		start = int64(r.Committed.Offset) //nolint:gosec // the broker's offsets are int64
	}
	sub, err := s.consumeStream(ctx, l, queue, s.config.Prefetch, start)
	if err != nil {
		return nil, err
	}
	if r.Pending == nil && bound {
		if err := s.awaitFirst(ctx, l, sub, reach); err != nil {
			return nil, errors.Join(err, sub.Close())
		}
	}
	return sub, nil
}

func (s *Source) consumeStream(ctx context.Context, l link, queue string, prefetch int, start any) (sub *streamSubscription, err error) {
	err = bounded(ctx, l, s.config.ConnectTimeout, func() error {
		sub, err = consumeStream(l, consumption{
			queue: queue, tag: s.consumerTag(), prefetch: prefetch, readAhead: s.config.ReadAhead,
		}, start)
		return err
	})
	return sub, err
}

// Earliest implements [feed.OffsetSubscriber].
func (s *Source) Earliest(ctx context.Context, topic string) (uint64, error) {
	queue, err := s.queue(topic)
	if err != nil {
		return 0, err
	}
	l, err := s.conn.get(ctx)
	if err != nil {
		return 0, err
	}
	sub, err := s.consumeStream(ctx, l, queue, 1, "first")
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.config.ConnectTimeout)
	defer cancel()
	got, err := sub.Receive(ctx, nil, 1)
	if err = errors.Join(err, sub.Close()); err != nil {
		return 0, err
	}
	return got[0].Tag - 1, nil
}

// awaitFirst waits for the first delivery of a subscription that began at the
// offset reach. When none comes it looks for the end of the stream: a consumer
// beyond the end gets nothing until the stream has grown to its offset.
func (s *Source) awaitFirst(ctx context.Context, l link, sub *streamSubscription, reach uint64) error {
	quiet, cancel := context.WithTimeout(ctx, s.quiet)
	defer cancel()
	err := sub.box.Await(quiet)
	if err == nil || quiet.Err() == nil || ctx.Err() != nil {
		return err
	}
	return s.reaches(ctx, l, sub.queue, reach)
}

// reaches returns nil when the stream has a message at the offset reach or
// after it, and an error that is [feed.ErrStreamEndsBefore] when it has none.
func (s *Source) reaches(ctx context.Context, l link, queue string, reach uint64) error {
	for try := 0; ; try++ {
		last, found, err := s.lastOf(ctx, l, queue, reach)
		switch {
		case err != nil:
			return err
		case found && last < reach:
			return fmt.Errorf("%w: stream %q ends at offset %d, and not at %d or later", feed.ErrStreamEndsBefore, queue, last, reach)
		case found:
			return nil
		}
		// Twice: the broker knows the length of a stream that it has just opened
		// a few seconds later.
		if err := s.checkEmpty(ctx, l, queue); try > 0 || !errors.Is(err, feed.ErrStreamEndsBefore) {
			return err
		}
	}
}

// lastOf consumes the end of a stream, and returns the last offset that it has.
func (s *Source) lastOf(ctx context.Context, l link, queue string, enough uint64) (last uint64, found bool, err error) {
	const some = 256 // deliveries at a time; there are those of one chunk
	sub, err := s.consumeStream(ctx, l, queue, some, "last")
	if err != nil {
		return 0, false, err
	}
	last, found, err = s.follow(ctx, sub, enough)
	return last, found, errors.Join(err, sub.Close())
}

// follow returns the last offset that a consumer gets before it gets nothing
// for a while, or the first one that is enough. A stream that was declared anew
// may grow all the time, and a replica that lags behind does so, too. What
// tells them apart is how fast: a replica is waited for that will have caught up
// before long.
func (s *Source) follow(ctx context.Context, sub *streamSubscription, enough uint64) (last uint64, found bool, err error) {
	var got []feed.Delivery
	var since time.Time // when the stream ended at the offset from
	var from uint64
	left := catchUp * s.quiet
	for !found || last < enough {
		quiet, cancel := context.WithTimeout(ctx, s.quiet)
		got, err = sub.Receive(quiet, got[:0], math.MaxInt)
		timeout := quiet.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err != nil && timeout:
			return last, found, nil
		case err != nil:
			return 0, false, err
		}
		last = got[len(got)-1].Tag - 1
		if !found {
			since, from, found = time.Now(), last, true
		}
		took := time.Since(since)
		if last >= enough || took < growth*s.quiet {
			continue
		}
		left -= took
		if needs := time.Duration(float64(took) * float64(enough-last) / float64(max(last-from, 1))); needs > left {
			return last, true, nil
		}
		s.log.Info("a stream ends before what was stored of it, but is catching up", "queue", sub.queue, "end", last, "stored", enough)
		since, from = time.Now(), last
	}
	return last, true, nil
}

// checkEmpty asks the broker whether a stream that hands out nothing is empty.
func (s *Source) checkEmpty(ctx context.Context, l link, queue string) error {
	return bounded(ctx, l, s.config.ConnectTimeout, func() error {
		ch, err := l.Channel()
		if err != nil {
			return fmt.Errorf("open channel: %w", err)
		}
		defer func() { _ = ch.Close() }() // closed already when the check failed
		q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		switch {
		case err != nil:
			return explainMissing("queue", queue, err)
		case q.Messages > 0:
			return fmt.Errorf("stream %q is said to hold %d messages, but hands out none", queue, q.Messages)
		}
		return fmt.Errorf("%w: stream %q is empty", feed.ErrStreamEndsBefore, queue)
	})
}
