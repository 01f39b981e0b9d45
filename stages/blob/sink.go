package blob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/lifetime"
)

// manyPaths is how many paths of one batch are worth a warning: each costs a
// request.
const manyPaths = 1000

// ErrClosed is returned by a sink that was closed.
var ErrClosed = errors.New("blob sink is closed")

// Sink writes each batch as objects that never change. It implements
// [message.Publisher], [feed.BatchPublisher], [feed.Prober] and, with
// [Config.ExactlyOnce], [feed.Checkpointer].
type Sink struct {
	cfg        Config
	log        *slog.Logger
	store      store
	render     renderer
	checkpoint *checkpoint // of exactlyOnce; the holder of mu has it
	lifetime   *lifetime.Lifetime

	mu       sync.Mutex // held while a batch is written
	encoders []encoder  // idle ones
	warned   bool

	// Scratch space of group, used again for each batch.
	groupOf, index []int
}

var (
	_ message.Publisher   = (*Sink)(nil)
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Prober         = (*Sink)(nil)
	_ feed.Checkpointer   = (*Sink)(nil)
)

// NewSink returns a sink. It reads secrets and certificates from their files
// and does no network I/O.
func NewSink(cfg Config, env feed.StageEnv) (*Sink, error) {
	st, err := newStore(cfg)
	if err != nil {
		return nil, err
	}
	return newSink(cfg, env, st)
}

func newStore(cfg Config) (store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	p, err := cfg.place()
	if err != nil {
		return nil, err
	}
	if p.dir != "" {
		return newDirectory(p.dir), nil
	}
	return newAzure(cfg)
}

func newSink(cfg Config, env feed.StageEnv, st store) (*Sink, error) {
	t, err := cfg.template()
	if err != nil {
		return nil, &feed.ConfigError{Key: "path", Problem: err.Error()}
	}
	log := env.Logger
	if log == nil {
		log = slog.Default()
	}
	s := &Sink{cfg: cfg, log: log, store: st, render: renderer{template: t, route: env.Route, feed: env.Feed}, lifetime: lifetime.New(ErrClosed)}
	s.checkpoint = newCheckpoint(st, env)
	return s, nil
}

// PublishBatch groups the messages by path, writes each group as one object
// (more, when it is larger than maxObjectBytes) and returns nil when all are
// durable. A *[feed.BatchError] lists the messages that are not. A batch whose
// Received is the zero time counts as received now: as a new one, each time.
// With [Config.ExactlyOnce] it is all or nothing, see [feed.Checkpointer].
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	if s.cfg.ExactlyOnce {
		return s.publishRange(ctx, b)
	}
	received := b.Received
	if received.IsZero() {
		received = time.Now()
	}
	return s.publish(ctx, "", b.Messages, received, b.Placed)
}

// Publish writes messages as PublishBatch does, as a new batch received now,
// with topic for those whose metadata has none. It ends when the context of the first message
// does.
func (s *Sink) Publish(topic string, messages ...*message.Message) error {
	if s.cfg.ExactlyOnce {
		return errNoRange
	}
	if len(messages) == 0 {
		return nil
	}
	return s.publish(messages[0].Context(), topic, messages, time.Now(), func(int, feed.Place) {})
}

// Probe returns nil when the container or directory would take objects.
func (s *Sink) Probe(ctx context.Context) error {
	ctx, done, err := s.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	return s.store.probe(ctx)
}

// Close cancels what is being written and waits for it.
func (s *Sink) Close() error {
	s.lifetime.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.encoders = nil
	s.store.close()
	return nil
}

// group is the messages of one path.
type group struct {
	path  string
	size  int
	index []int // of its messages in the batch
}

func (s *Sink) publish(ctx context.Context, topic string, msgs []*message.Message, received time.Time, placed func(int, feed.Place)) error {
	if len(msgs) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, done, err := s.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()

	groups := s.group(topic, msgs, received)
	failed := make([][]feed.Failure, len(groups))
	down := &latch{}
	err = s.eachGroup(ctx, groups, func(i int, e encoder) {
		w := &writer{sink: s, enc: e, topic: topic, msgs: msgs, down: down, identity: newIdentity(received)}
		w.put = func(ctx context.Context, path string, data []byte, lines []int) error {
			name, err := w.commit(ctx, path, data, len(lines))
			if err == nil {
				tellPlaces(placed, name, lines)
			}
			return err
		}
		w.write(ctx, groups[i])
		failed[i] = w.failed
	})
	if err != nil {
		return err
	}
	return batchError(failed)
}

// eachGroup calls f for each group, with an encoder for its time, a few at a
// time. One group's failure leaves the others be.
func (s *Sink) eachGroup(ctx context.Context, groups []group, f func(i int, e encoder)) error {
	slots := min(len(groups), s.cfg.Parallel)
	idle := make(chan encoder, slots)
	for range slots {
		e, err := s.takeEncoder()
		if err != nil {
			return err
		}
		idle <- e
	}
	_ = parallel(context.WithoutCancel(ctx), len(groups), slots, func(_ context.Context, i int) error {
		e := <-idle
		f(i, e)
		idle <- e
		return nil
	})
	for range slots {
		e := <-idle
		e.release()
		s.encoders = append(s.encoders, e)
	}
	return nil
}

// group sorts messages by path, in the order of first appearance.
func (s *Sink) group(topic string, msgs []*message.Message, received time.Time) []group {
	var groups []group
	byPath := map[string]int{}
	last := 0
	s.groupOf = slices.Grow(s.groupOf[:0], len(msgs))[:len(msgs)]
	for i, m := range msgs {
		path := s.render.render(m, topic, received)
		if len(groups) == 0 || groups[last].path != string(path) {
			g, ok := byPath[string(path)]
			if !ok {
				g = len(groups)
				groups = append(groups, group{path: string(path)})
				byPath[groups[g].path] = g
			}
			last = g
		}
		s.groupOf[i] = last
		groups[last].size++
	}
	s.index = slices.Grow(s.index[:0], len(msgs))[:len(msgs)]
	rest := s.index
	for g := range groups {
		groups[g].index, rest = rest[:0:groups[g].size], rest[groups[g].size:]
	}
	for i, g := range s.groupOf {
		groups[g].index = append(groups[g].index, i)
	}
	if len(groups) > manyPaths && !s.warned {
		s.warned = true
		s.log.Warn("a batch makes very many objects: each costs a request; choose a coarser path", "objects", len(groups), "messages", len(msgs), "path", s.cfg.Path)
	}
	return groups
}

func (s *Sink) takeEncoder() (encoder, error) {
	if n := len(s.encoders); n > 0 {
		e := s.encoders[n-1]
		s.encoders = s.encoders[:n-1]
		return e, nil
	}
	return newEncoder(&s.cfg)
}

func batchError(failed [][]feed.Failure) error {
	be := &feed.BatchError{Failures: slices.Concat(failed...)}
	slices.SortFunc(be.Failures, func(a, b feed.Failure) int { return a.Index - b.Index })
	return be.ErrorOrNil()
}

// latch remembers that the store is down, so that a batch of many objects does
// not wait for a timeout for each.
type latch struct {
	mu  sync.Mutex
	err error
}

func (l *latch) get() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *latch) set(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = fmt.Errorf("not tried: %w", err)
	}
}
