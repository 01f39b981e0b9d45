package mqtt

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

// publish sends msgs in order, each to topic or else to the one in its
// metadata, and returns when every one is acknowledged or known to have
// failed: nil or a *[feed.BatchError].
func (c *conn) publish(topic string, msgs []*message.Message) error {
	c.mu.Lock()
	c.refusals = c.refusals[:0]
	next := c.win.next
	c.mu.Unlock()

	var (
		failures []feed.Failure
		handed   int // how many of msgs are through with, or in the window
		err      error
		out      = c.out[:0]
		qos1     = c.enc.qos > 0
	)
	limit, half := c.room()
	// flush writes what has been gathered of msgs[:upTo].
	flush := func(payload []byte, upTo int) error {
		ok, err := c.send(out, payload, next)
		if ok && (qos1 || err == nil) {
			handed = upTo
		}
		out = out[:0]
		return err
	}
	for i, m := range msgs {
		if qos1 && next == limit {
			limit, half = c.room()
		}
		if qos1 && next == limit {
			if len(out) > 0 {
				if err = flush(nil, i); err != nil {
					break
				}
			}
			// Go on with half a window, not with every single PUBACK.
			if err = c.await(next-half, 0); err != nil {
				break
			}
			limit, half = c.room()
		}
		t := topic
		if t == "" {
			t = feed.Topic(m)
		}
		var never error
		if out, never = c.enc.header(out, t, m, packetID(next)); never != nil {
			failures = append(failures, feed.Failure{Index: i, Err: feed.Permanent(fmt.Errorf("publish: %w", never))})
			continue
		}
		if qos1 {
			c.win.set(next, i)
			next++
		}
		if len(m.Payload) >= direct {
			err = flush(m.Payload, i+1)
		} else if out = append(out, m.Payload...); len(out) >= flushAt {
			err = flush(nil, i+1)
		}
		if err != nil {
			break
		}
	}
	if err == nil && len(out) > 0 {
		err = flush(nil, len(msgs))
	}
	if err == nil {
		handed = len(msgs)
		err = c.await(next, 0)
	}
	if c.out = out[:0]; cap(out) > keepBuffer {
		c.out = nil
	}
	return c.outcome(msgs, topic, failures, handed, err)
}

// room returns the first number that the window has no place for now, and half
// of what it has place for.
func (c *conn) room() (limit, half uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := uint64(c.win.room())
	return c.win.base + n, n / 2
}

// outcome adds to failures what was refused and, after err ended the
// connection, what is unacknowledged and what was not sent at all: of the
// messages from handed on, those that have not failed already.
func (c *conn) outcome(msgs []*message.Message, topic string, failures []feed.Failure, handed int, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && len(c.refusals) == 0 && len(failures) == 0 {
		return nil
	}
	local := failures
	for _, r := range c.refusals {
		t := topic
		if t == "" {
			t = feed.Topic(msgs[r.what])
		}
		failures = append(failures, feed.Failure{Index: r.what, Err: refusal(t, r.code, r.text)})
	}
	c.refusals = nil
	if err != nil {
		err = fmt.Errorf("publish: %w", err)
		head := err
		if blamesMessage(err) {
			head = feed.ConnectionFatal(err)
		}
		for _, i := range c.win.unacknowledged(nil) {
			failures = append(failures, feed.Failure{Index: i, Err: head})
			head = err
		}
		for i := handed; i < len(msgs); i++ {
			if _, failed := slices.BinarySearchFunc(local, i, func(f feed.Failure, i int) int { return f.Index - i }); !failed {
				failures = append(failures, feed.Failure{Index: i, Err: err})
			}
		}
	}
	slices.SortFunc(failures, func(a, b feed.Failure) int { return a.Index - b.Index })
	return (&feed.BatchError{Failures: failures}).ErrorOrNil()
}

// blamesMessage reports whether the broker ended the connection with a reason
// that concerns what it was sent.
func blamesMessage(err error) bool {
	var r *ReasonError
	return errors.As(err, &r) && r.Packet == "DISCONNECT" && reasons[r.Code].fatal
}
