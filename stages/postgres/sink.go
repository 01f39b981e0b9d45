package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/lifetime"
)

// ErrClosed is what a closed sink returns.
var ErrClosed = errors.New("the postgres sink is closed")

// Sink stores readings in a PostgreSQL database. Its methods are safe for
// concurrent use; all but Close wait for each other.
type Sink struct {
	config Config
	now    func() time.Time

	lifetime *lifetime.Lifetime

	mu     sync.Mutex // held while a batch is written
	writer writer
	parser reading.Parser
	points []point // reused
}

var (
	_ message.Publisher   = (*Sink)(nil)
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Prober         = (*Sink)(nil)
)

// NewSink returns a sink. It does no I/O, and fails with what [Config.Validate]
// reports.
func NewSink(c Config, env feed.StageEnv) (*Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	logger := env.Logger
	if logger == nil {
		logger = slog.Default()
	}
	s := &Sink{config: c, now: time.Now, lifetime: lifetime.New(ErrClosed)}
	s.writer = writer{config: &s.config, logger: logger, feed: env.Feed + "/" + env.Route, clocks: clocks{ask: serverTime}}
	return s, nil
}

// PublishBatch stores the readings of the batch and returns nil when all of them
// have been committed, now or before. A *[feed.BatchError] lists the messages
// that can never be stored. The topics of the messages are of no importance.
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	return s.publish(ctx, b.Messages)
}

// Publish is PublishBatch for messages of any topic. It ends when the context of
// the first message does.
func (s *Sink) Publish(_ string, msgs ...*message.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	return s.publish(msgs[0].Context(), msgs)
}

func (s *Sink) publish(ctx context.Context, msgs []*message.Message) error {
	return s.use(ctx, func(ctx context.Context) error {
		defer func() {
			clear(s.points) // large texts
			s.points = s.points[:0]
		}()
		refused := s.parse(msgs)
		if len(s.points) > 0 {
			if err := s.writer.open(ctx); err != nil {
				return err
			}
			if err := s.writer.write(ctx, s.points, s.now()); err != nil {
				return fmt.Errorf("store %d readings: %w", len(s.points), explained(err))
			}
		}
		return failures(refused, s.writer.failed).ErrorOrNil()
	})
}

// parse makes points of messages, and says which are no readings that a database
// could hold.
func (s *Sink) parse(msgs []*message.Message) (refused []feed.Failure) {
	s.writer.failed = nil
	for i, m := range msgs {
		r, err := s.parser.Parse(m.Payload)
		if err == nil && (strings.IndexByte(r.Device, 0) >= 0 || strings.IndexByte(r.Tag, 0) >= 0 || strings.IndexByte(r.Site, 0) >= 0 || strings.IndexByte(r.Line, 0) >= 0 || strings.IndexByte(r.Quality, 0) >= 0) {
			err = errors.New("a name has a zero character, which PostgreSQL cannot store")
		}
		if err != nil {
			refused = append(refused, feed.Failure{Index: i, Err: feed.Permanent(err)})
			continue
		}
		s.points = append(s.points, point{reading: r, index: i})
	}
	return refused
}

// Probe connects and writes a row, which it rolls back; after the disk was full
// one of 64 KiB. Implements [feed.Prober].
func (s *Sink) Probe(ctx context.Context) error {
	return s.use(ctx, func(ctx context.Context) error {
		if err := s.writer.open(ctx); err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		if err := s.writer.probe(ctx); err != nil {
			return fmt.Errorf("probe: %w", explained(err))
		}
		return nil
	})
}

// use calls do alone, with a context that ends with the sink, too.
func (s *Sink) use(ctx context.Context, do func(context.Context) error) error {
	ctx, done, err := s.lifetime.Begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	return do(ctx)
}

// Close cancels what is being written, whose outcome is then unknown, waits for
// it, and closes the connection. Idempotent.
func (s *Sink) Close() error {
	s.lifetime.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.writer.close(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("close the connection to %s: %w", s.config.URL, err)
	}
	return nil
}
