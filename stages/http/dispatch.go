package http

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/jsonscan"
)

// errNotJSON is permanent: the payload will never be JSON.
var errNotJSON = feed.Permanent(errors.New("payload is not JSON in UTF-8, as body lines and array need it (body single takes any payload)"))

// dispatch sends one batch.
type dispatch struct {
	sink     *Sink
	ctx      context.Context
	topic    string // for all, unless it is empty
	msgs     []*message.Message
	received time.Time

	digest   [sha256.Size]byte // see identify
	failures []feed.Failure
	down     error // why the rest is not tried
}

// all sends everything and returns what failed.
func (d *dispatch) all() error {
	d.identify()
	var good []int
	for i, m := range d.msgs {
		if d.sink.config.Body != BodySingle && !jsonscan.Check(m.Payload).Valid {
			d.fail(i, errNotJSON)
			continue
		}
		good = append(good, i)
	}
	if d.sink.config.Body == BodySingle {
		for i := range good {
			d.send(good[i : i+1])
		}
	} else {
		d.send(good)
	}
	slices.SortFunc(d.failures, func(a, b feed.Failure) int { return a.Index - b.Index })
	return (&feed.BatchError{Failures: d.failures}).ErrorOrNil()
}

func (d *dispatch) fail(index int, err error) {
	d.failures = append(d.failures, feed.Failure{Index: index, Err: err})
}

// send sends messages in one request, and in two halves when the receiver
// refuses their content: so each that is refused in the end is refused by
// itself, and the others arrive.
func (d *dispatch) send(indexes []int) {
	if len(indexes) == 0 {
		return
	}
	if d.down != nil {
		for _, i := range indexes {
			d.fail(i, d.down)
		}
		return
	}
	a, err := d.sink.client.send(d.ctx, d.content(indexes))
	if err == nil && a.verdict() != stored {
		d.sink.heed(a)
		err = a.error()
	}
	switch {
	case err == nil:
	case a.verdict() == blamed && a.status != 0 && len(indexes) == 1:
		d.fail(indexes[0], feed.Permanent(err))
	case a.verdict() == blamed && a.status != 0:
		d.sink.events.Add(eventHalved, 1)
		half := len(indexes) / 2
		d.send(indexes[:half])
		d.send(indexes[half:])
	default:
		if d.ctx.Err() != nil {
			err = context.Cause(d.ctx)
		}
		for _, i := range indexes {
			d.fail(i, err)
		}
		d.down = fmt.Errorf("not tried: %w", err)
	}
}

// content makes the request of messages. Its memory is not used again: the
// transport may still read a body when the answer has come.
func (d *dispatch) content(indexes []int) content {
	first := d.msgs[indexes[0]]
	c := content{topic: d.topic, contentType: first.Metadata[feed.MetaContentType]}
	if c.topic == "" {
		c.topic = feed.Topic(first)
	}
	switch d.sink.config.Body {
	case BodyLines:
		c.contentType = "application/x-ndjson"
		for _, i := range indexes {
			c.body = append(jsonscan.AppendCompact(c.body, d.msgs[i].Payload), '\n')
		}
	case BodyArray:
		c.contentType = "application/json"
		for n, i := range indexes {
			c.body = append(c.body, "[,"[min(n, 1)])
			c.body = append(c.body, d.msgs[i].Payload...)
		}
		c.body = append(c.body, ']')
	default:
		c.body = first.Payload
	}
	c.key = d.key(indexes)
	return c
}

// key returns the Idempotency-Key of a request: 128 bits of a hash over the whole
// batch, and which of its messages the request has. A batch that is sent again
// as it was has the same keys. One that has lost messages, as some are done, has
// others: a key that might stand for another message of the same content would
// make a receiver drop that.
func (d *dispatch) key(indexes []int) string {
	h := sha256.New()
	h.Write(d.digest[:])
	for _, i := range indexes {
		number(h, uint64(i))
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// identify computes the digest: of the route, the time when the batch was
// received, which is the same when it is sent again and another one for each
// batch, and the messages.
func (d *dispatch) identify() {
	h := sha256.New()
	text(h, d.sink.route)
	text(h, d.topic)
	number(h, uint64(d.received.UnixNano()))
	for _, m := range d.msgs {
		text(h, m.UUID)
		text(h, feed.Topic(m))
		number(h, uint64(len(m.Payload)))
		h.Write(m.Payload)
	}
	h.Sum(d.digest[:0])
}

func number(h hash.Hash, n uint64) {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	h.Write(b[:])
}

func text(h hash.Hash, s string) {
	number(h, uint64(len(s)))
	h.Write([]byte(s))
}
