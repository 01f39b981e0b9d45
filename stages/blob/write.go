package blob

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

// writer writes one group of a batch.
type writer struct {
	sink     *Sink
	enc      encoder
	topic    string
	msgs     []*message.Message
	down     *latch
	identity *identity // nil when names do not need it
	held     *held     // nil when nobody asks what an object holds
	failed   []feed.Failure
	lines    []int // the messages of the object that is being encoded, in order
	// put takes an object, whose data is valid until it returns, and which messages
	// its lines are.
	put func(ctx context.Context, path string, data []byte, lines []int) error
}

// write encodes the messages of g, in order, and stores an object whenever one
// is full. Where objects end depends on the messages, and on how many bytes the
// configuration makes of each.
func (w *writer) write(ctx context.Context, g group) {
	limit := int(w.sink.cfg.MaxObjectBytes)
	hint := 0
	for _, i := range g.index {
		hint += len(w.msgs[i].Payload) + 1
	}
	for start := 0; start < len(g.index); {
		if err := w.stopped(ctx); err != nil {
			w.fail(g.index[start:], err)
			return
		}
		w.enc.begin(min(hint, limit))
		if w.identity != nil {
			w.identity.begin()
		}
		if w.held != nil {
			w.held.begin()
		}
		w.lines = w.lines[:0]
		end, err := start, error(nil)
		for end < len(g.index) && err == nil && w.enc.size() < limit {
			var added bool
			added, err = w.encode(g.index[end])
			if added {
				w.lines = append(w.lines, g.index[end])
				if w.identity != nil {
					w.identity.add(w.msgs[g.index[end]])
				}
				if w.held != nil {
					w.held.add(w.msgs[g.index[end]])
				}
			}
			end++
		}
		if err == nil && len(w.lines) > 0 {
			err = w.store(ctx, g.path)
		}
		if err != nil {
			w.fail(g.index[start:end], err)
		}
		start = end
	}
}

// stopped says why nothing more is to be written.
func (w *writer) stopped(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return w.down.get()
}

// encode appends a message. One that cannot be encoded fails by itself; an error
// is of the whole object.
func (w *writer) encode(i int) (added bool, err error) {
	err = w.enc.add(w.msgs[i], w.topic)
	if feed.IsPermanent(err) {
		w.failed = append(w.failed, feed.Failure{Index: i, Err: err})
		return false, nil //nolint:nilerr // reported in the batch's error
	}
	return err == nil, err
}

// store hands over the encoded object.
func (w *writer) store(ctx context.Context, path string) error {
	data, err := w.enc.finish()
	if err != nil {
		return err
	}
	if err := w.stopped(ctx); err != nil {
		return err
	}
	return w.put(ctx, path, data, w.lines)
}

// commit names an object and makes it durable.
func (w *writer) commit(ctx context.Context, path string, data []byte, lines int) (name string, _ error) {
	hash := contentHash(data)
	c := &w.sink.cfg
	name = nameOf(path, w.identity.name(hash), c.extension())
	err := commit(ctx, w.sink.store, object{
		name: name, data: data, hash: hash, messages: lines, mime: c.contentType(),
	})
	if err != nil && !feed.IsPermanent(err) && !errors.Is(err, ErrContentMismatch) {
		w.down.set(err)
	}
	return name, err
}

// tellPlaces tells which messages are the lines, or rows, of an object.
func tellPlaces(placed func(int, feed.Place), name string, lines []int) {
	for i, message := range lines {
		placed(message, feed.Place{Object: name, Position: int64(i) + 1})
	}
}

// fail adds the messages that have not failed by themselves already.
func (w *writer) fail(index []int, err error) {
	own := make(map[int]bool, len(w.failed))
	for _, f := range w.failed {
		own[f.Index] = true
	}
	for _, i := range index {
		if !own[i] {
			w.failed = append(w.failed, feed.Failure{Index: i, Err: err})
		}
	}
}
