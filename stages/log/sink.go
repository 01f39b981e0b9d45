package log

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// ErrClosed is returned by a sink that was closed.
var ErrClosed = errors.New("log: closed")

// shownBytes is how much of a payload a log record shows.
const shownBytes = 4 << 10

// keptBuffer is the largest buffer that is kept between batches.
const keptBuffer = 1 << 20

// Sink prints messages or logs them. It is safe for concurrent use.
type Sink struct {
	format Format
	logger *slog.Logger // set: log, do not print

	mu     sync.Mutex
	to     io.Writer
	buf    []byte
	closed bool
}

var (
	_ message.Publisher   = (*Sink)(nil)
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Durability     = (*Sink)(nil)
)

// NewSink returns a sink. It prints to what os.Stdout and os.Stderr are now;
// with the target log it uses the logger of env, or slog's default.
func NewSink(c Config, env feed.StageEnv) (*Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	s := &Sink{format: c.Format, to: os.Stdout}
	switch c.To {
	case ToStderr:
		s.to = os.Stderr
	case ToLog:
		if s.logger = env.Logger; s.logger == nil {
			s.logger = slog.Default()
		}
	}
	return s, nil
}

// Durable is false: a line that was printed may be lost.
func (*Sink) Durable() bool { return false }

// PublishBatch prints each message, under the topic in its metadata.
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	return s.publish(ctx, "", b.Messages)
}

// Publish prints messages under the given topic.
func (s *Sink) Publish(topic string, messages ...*message.Message) error {
	return s.publish(context.Background(), topic, messages)
}

// publish prints messages under topic, or under their own when it is empty. All
// lines go out in one write. A write to a pipe that nobody reads blocks, and
// cannot be interrupted.
func (s *Sink) publish(ctx context.Context, topic string, messages []*message.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	buf := s.buf[:0]
	for _, m := range messages {
		its := topic
		if its == "" {
			its = feed.Topic(m)
		}
		switch {
		case s.logger != nil:
			s.record(ctx, its, m)
		case s.format == FormatJSON:
			var err error
			if buf, err = appendJSON(buf, its, m); err != nil {
				return err
			}
		default:
			buf = appendPayload(buf, m)
		}
	}
	if s.buf = buf; cap(buf) > keptBuffer {
		s.buf = nil
	}
	if len(buf) == 0 {
		return nil
	}
	if _, err := s.to.Write(buf); err != nil {
		return fmt.Errorf("log: write: %w", err)
	}
	return nil
}

func (s *Sink) record(ctx context.Context, topic string, m *message.Message) {
	shown := m.Payload[:min(len(m.Payload), shownBytes)]
	s.logger.LogAttrs(ctx, slog.LevelInfo, "message",
		slog.String("topic", topic), slog.Any("metadata", m.Metadata), slog.Int("bytes", len(m.Payload)), slog.String("payload", string(shown)))
}

// Close ends the sink; it leaves the standard streams open. Idempotent.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}
