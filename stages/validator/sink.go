package validator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// ErrClosed is returned by a sink that was closed.
var ErrClosed = errors.New("validator: closed")

// Sink keeps readings and compares them with an expectation. It is safe for
// concurrent use.
type Sink struct {
	config Config
	trial  bool
	expect validate.Expectation
	log    *slog.Logger
	events *feed.EventCounts
	now    func() time.Time

	lifetime context.Context
	end      context.CancelFunc
	runs     chan struct{} // closed when no run comes any more

	// writing is held by who changes the store or what is kept beside it.
	writing sync.Mutex
	closed  error // why nothing is written any more
	parser  reading.Parser
	batch   []reading.Reading // reused
	kept    atomic.Pointer[kept]

	latest atomic.Pointer[outcome]
}

var (
	_ message.Publisher   = (*Sink)(nil)
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Prober         = (*Sink)(nil)
	_ feed.EventCounter   = (*Sink)(nil)
	_ feed.GaugeReader    = (*Sink)(nil)
)

// NewSink returns a sink whose runs begin within a minute. It does no I/O: the
// directory is opened with the first batch, or the first run.
func NewSink(c Config, env feed.StageEnv) (*Sink, error) {
	s, err := newSink(c, env, time.Now)
	if err != nil {
		return nil, err
	}
	if s.trial {
		close(s.runs)
	} else {
		go s.schedule()
	}
	return s, nil
}

// newSink returns one that does not run by itself.
func newSink(c Config, env feed.StageEnv, now func() time.Time) (*Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Sink{
		config: c, trial: env.Trial, log: env.Logger, now: now, events: feed.NewEventCounts(eventNames...), runs: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	var err error
	if s.expect, err = validate.NewExpectation(c.Expect.Factory, c.Expect.Config, env); err != nil {
		return nil, c.Expect.Failed("expect", err)
	}
	s.lifetime, s.end = context.WithCancel(context.Background())
	return s, nil
}

// PublishBatch stores the readings of a batch, each copy that comes, with the time at
// which it came, and returns nil when they are on disk. A *[feed.BatchError] lists
// messages that are no readings. The topics of the messages are of no importance.
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	return s.publish(ctx, b.Messages)
}

// Publish is PublishBatch for messages of any topic.
func (s *Sink) Publish(_ string, msgs ...*message.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	return s.publish(msgs[0].Context(), msgs)
}

func (s *Sink) publish(ctx context.Context, msgs []*message.Message) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := errors.Join(s.closed, ctx.Err()); err != nil {
		return err
	}
	var refused feed.BatchError
	s.batch = s.batch[:0]
	for i, m := range msgs {
		r, err := s.parser.Parse(m.Payload)
		if err != nil {
			refused.Add(i, feed.Permanent(err))
			continue
		}
		s.batch = append(s.batch, r)
	}
	defer s.release()
	if len(s.batch) > 0 && !s.trial {
		if err := s.write(s.batch); err != nil {
			return fmt.Errorf("validator: store %d readings in %s: %w", len(s.batch), s.config.Path, err)
		}
	}
	return refused.ErrorOrNil()
}

// keptBatch is how many readings the scratch has room for, and keptText how much
// text, that is kept from batch to batch.
const keptBatch = 10_000

func (s *Sink) release() {
	if cap(s.batch) > keptBatch {
		s.batch = nil
	}
	clear(s.batch) // large texts
}

// write stores readings. The caller holds writing.
func (s *Sink) write(rs []reading.Reading) error {
	k, err := s.open()
	if err != nil {
		return err
	}
	now := s.now().UnixNano()
	if k.store.grown(now) {
		if err := k.store.begin(); err != nil {
			return err
		}
		if err := s.expire(k); err != nil {
			return err
		}
	}
	covers, err := k.store.append(rs, now)
	for errors.Is(err, errFull) {
		if err := s.makeRoom(k); err != nil {
			return err
		}
		covers, err = k.store.append(rs, now)
	}
	if err != nil {
		return err
	}
	k.judgements.touch(covers)
	return nil
}

// Probe tells whether there is room, and the directory can be written. Implements
// [feed.Prober].
func (s *Sink) Probe(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := errors.Join(s.closed, ctx.Err()); err != nil || s.trial {
		return err
	}
	err := s.probe()
	if err != nil {
		return fmt.Errorf("validator: probe %s: %w", s.config.Path, err)
	}
	return nil
}

func (s *Sink) probe() error {
	k, err := s.open()
	if err != nil {
		return err
	}
	for k.store.lacks() {
		if err := s.makeRoom(k); err != nil {
			return err
		}
	}
	return s.save(k)
}

// Close ends a run that goes on, and the sink. Idempotent.
func (s *Sink) Close() error {
	s.end()
	<-s.runs
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.closed != nil {
		return nil
	}
	s.closed = ErrClosed
	err := s.expect.Close()
	if k := s.kept.Load(); k != nil {
		err = errors.Join(err, s.save(k), k.store.close())
	}
	if err != nil {
		return fmt.Errorf("validator: %w", err)
	}
	return nil
}
