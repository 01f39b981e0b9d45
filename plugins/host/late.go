package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/plugins/host/remote"
)

// late is a stage whose plugin could not be asked about its settings when its route
// was made. Until it can be, what is asked of the stage fails with a transient error
// that says why: its route waits and is not ready. Mistakes in the settings do the
// same, for the route runs already.
type late[S io.Closer] struct {
	of   settings
	make func(settings) (S, error)

	mu     sync.Mutex
	stage  S
	isMade bool
	closed bool
}

var errLateClosed = errors.New("the stage is closed")

// get returns the stage. It blocks while the plugin is asked about it.
func (l *late[S]) get(ctx context.Context) (none S, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return none, errLateClosed
	case l.isMade:
		return l.stage, nil
	}
	if err := l.of.askLate(ctx); err != nil {
		return none, err
	}
	made, err := l.make(l.of)
	if err != nil {
		return none, err
	}
	l.stage, l.isMade = made, true
	return made, nil
}

// Close closes the stage, if it was made. Idempotent.
func (l *late[S]) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.isMade {
		l.closed = true
		return nil
	}
	l.closed = true
	return l.stage.Close()
}

// askLate looks for the plugin of the stage and asks it about the settings.
func (s *settings) askLate(ctx context.Context) error {
	of, err := s.host.find(s.kind, s.name)
	if err != nil {
		return err
	}
	s.of = of
	err = s.ask(ctx, of.supervisor.program.limits.timeout)
	if s.unasked {
		return err
	}
	if err != nil {
		// As text: to a route a mistake in its configuration is one that nothing mends.
		return fmt.Errorf("the settings of %s %s are refused: %s: mend the file, which feed lint checks, and start the feed again", s.kind, s.name, err.Error()) //nolint:errorlint // see above
	}
	if s.use.GetNotDurable() {
		return fmt.Errorf("%s %s is not durable with these settings, and nobody could say so when the feed was started: start it again", s.kind, s.name)
	}
	return nil
}

// lateSource is a source that is late.
type lateSource struct{ late[*remote.Source] }

// SubscribeBatch implements [feed.BatchSubscriber].
func (l *lateSource) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	s, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return s.SubscribeBatch(ctx, topic)
}

// Subscribe implements [message.Subscriber].
func (l *lateSource) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	s, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	return s.Subscribe(ctx, topic)
}

// lateSink is a sink that is late. It is durable, or is never made.
type lateSink struct{ late[*remote.Sink] }

// PublishBatch implements [feed.BatchPublisher].
func (l *lateSink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	s, err := l.get(ctx)
	if err != nil {
		return err
	}
	return s.PublishBatch(ctx, b)
}

// Publish implements [message.Publisher].
func (l *lateSink) Publish(topic string, msgs ...*message.Message) error {
	s, err := l.get(context.Background())
	if err != nil {
		return err
	}
	return s.Publish(topic, msgs...)
}

// Probe implements [feed.Prober].
func (l *lateSink) Probe(ctx context.Context) error {
	s, err := l.get(ctx)
	if err != nil {
		return err
	}
	return s.Probe(ctx)
}

// closingTransform is a transform as something that is closed.
type closingTransform struct{ feed.Transform }

// Close implements io.Closer.
func (t closingTransform) Close() error { return t.Transform.Close() }

// lateTransform is a transform that is late.
type lateTransform struct{ late[closingTransform] }

func (l *lateTransform) transform() feed.Transform {
	return feed.Transform{Batch: l.batch, Settled: l.settled, Close: l.Close, Probe: l.probe}
}

func (l *lateTransform) batch(ctx context.Context, msgs []*message.Message) []feed.Made {
	t, err := l.get(ctx)
	if err != nil {
		return []feed.Made{{Err: err}}
	}
	return t.Batch(ctx, msgs)
}

func (l *lateTransform) probe(ctx context.Context) error {
	t, err := l.get(ctx)
	if err != nil {
		return err
	}
	return t.Probe(ctx)
}

func (l *lateTransform) settled(ended []feed.Settled) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isMade {
		l.stage.Settled(ended)
	}
}

// lateCodec is a codec that is late.
type lateCodec struct{ late[*remote.Codec] }

// Name implements [batch.Codec].
func (l *lateCodec) Name() string { return l.of.name }

// Probe implements [feed.Prober].
func (l *lateCodec) Probe(ctx context.Context) error {
	c, err := l.get(ctx)
	if err != nil {
		return err
	}
	return c.Probe(ctx)
}

// Append implements [batch.Codec].
func (l *lateCodec) Append(dst []byte, rs []reading.Reading) ([]byte, error) {
	c, err := l.get(context.Background())
	if err != nil {
		return dst, err
	}
	return c.Append(dst, rs)
}

// Decode implements [batch.Codec].
func (l *lateCodec) Decode(dst []reading.Reading, body []byte, limits batch.Limits) ([]reading.Reading, error) {
	c, err := l.get(context.Background())
	if err != nil {
		return dst, &batch.Unavailable{Err: err}
	}
	return c.Decode(dst, body, limits)
}
