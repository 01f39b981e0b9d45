package blob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// errNoRange is for who calls a sink with exactlyOnce without a route.
var errNoRange = errors.New("blob: exactlyOnce needs batches that say which offsets of a stream they cover, as a route from a stream makes them")

// Checkpoints implements [feed.Checkpointer].
func (s *Sink) Checkpoints() bool { return s.cfg.ExactlyOnce }

// Resume implements [feed.Checkpointer].
func (s *Sink) Resume(ctx context.Context, stream string) (feed.Resumption, error) {
	return s.withCheckpoint(ctx, func(ctx context.Context) error { return s.checkpoint.resume(ctx, stream) })
}

// Renew implements [feed.Checkpointer].
func (s *Sink) Renew(ctx context.Context) (feed.Resumption, error) {
	return s.withCheckpoint(ctx, s.checkpoint.renew)
}

func (s *Sink) withCheckpoint(ctx context.Context, f func(context.Context) error) (feed.Resumption, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, done, err := s.lifetime.Begin(ctx)
	if err != nil {
		return feed.Resumption{}, err
	}
	defer done()
	if err := f(ctx); err != nil {
		return feed.Resumption{}, err
	}
	return s.checkpoint.resumption(), nil
}

// publishRange writes the objects of a range and commits it. All of them are
// encoded before the first one is written: their names and hashes are recorded
// first, so that whoever goes on after a crash makes the same ones.
func (s *Sink) publishRange(ctx context.Context, b *feed.Batch) error {
	if b.Range == nil {
		return errNoRange
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, done, err := s.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	objects, err := s.encodeRange(ctx, b)
	if err == nil {
		err = s.checkpoint.begin(ctx, b.Range, objects)
	}
	if err == nil {
		err = parallel(ctx, len(objects), s.cfg.Parallel, func(ctx context.Context, i int) error {
			return named(commit(ctx, s.store, objects[i]), objects[i].name)
		})
	}
	if err == nil {
		err = s.checkpoint.commit(ctx, b.Range, objects)
	}
	if err == nil {
		for _, o := range objects {
			tellPlaces(b.Placed, o.name, o.lines)
		}
	}
	return err
}

// named ends the route when the store refuses a name: the range can neither be
// completed under it nor be made under others, as long as it is recorded.
func named(err error, name string) error {
	if !feed.IsPermanent(err) {
		return err
	}
	return &feed.ConfigError{
		Key:     "path",
		Problem: fmt.Sprintf("the store refuses the name %s: %v", name, err),
		Remedy:  "remove the objects that the checkpoint lists as its intent, as far as they exist, then the intent itself, and write a path that makes shorter names",
	}
}

// encodeRange makes the objects of a range, in the order of their names. A
// *[feed.BatchError] lists the messages that have no line.
func (s *Sink) encodeRange(ctx context.Context, b *feed.Batch) ([]object, error) {
	groups := s.group("", b.Messages, time.Time{})
	made, failed := make([][]object, len(groups)), make([][]feed.Failure, len(groups))
	name := s.rangeName(b.Range)
	extension, mime := s.cfg.extension(), s.cfg.contentType()
	err := s.eachGroup(ctx, groups, func(i int, e encoder) {
		w := &writer{sink: s, enc: e, msgs: b.Messages, down: &latch{}, held: newHeld()}
		w.put = func(_ context.Context, path string, data []byte, lines []int) error {
			part := name + "-" + strconv.Itoa(len(made[i])+1)
			made[i] = append(made[i], object{
				name: nameOf(path, part, extension), data: bytes.Clone(data), hash: contentHash(data), holds: w.held.sum(), messages: len(lines), lines: slices.Clone(lines), mime: mime,
			})
			return nil
		}
		w.write(ctx, groups[i])
		failed[i] = w.failed
	})
	if err == nil {
		err = firstTransient(failed)
	}
	if err == nil {
		err = batchError(failed)
	}
	if err != nil {
		return nil, err
	}
	objects := slices.Concat(made...)
	slices.SortFunc(objects, func(a, b object) int { return strings.Compare(a.name, b.name) })
	return objects, nil
}

// firstTransient returns what kept a range from being encoded, if anything but
// its messages did.
func firstTransient(failed [][]feed.Failure) error {
	for _, group := range failed {
		for _, f := range group {
			if !feed.IsPermanent(f.Err) {
				return f.Err
			}
		}
	}
	return nil
}

// rangeName is what the names of a range's objects have in common.
func (s *Sink) rangeName(covered *feed.Range) string {
	c := s.checkpoint
	return fmt.Sprintf("%s-%d-%d-%d", appendEscaped(nil, c.Stream, 0, streamNameLimit), c.Generation, c.from(covered), covered.Last.Offset)
}
