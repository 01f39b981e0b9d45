package http

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Sink sends messages as HTTP requests. Its methods are safe for concurrent
// use; all but Close wait for each other.
type Sink struct {
	config SinkConfig
	route  string
	client *client
	events *feed.EventCounts

	// lifetime ends with Close, which cancels what runs.
	lifetime context.Context
	end      context.CancelFunc

	mu        sync.Mutex // held while a batch is sent
	notBefore time.Time  // the receiver has asked for a pause
}

var (
	_ message.Publisher   = (*Sink)(nil)
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Prober         = (*Sink)(nil)
	_ feed.EventCounter   = (*Sink)(nil)
)

// NewSink returns a sink. It reads tls.caFile and does no network I/O. It fails
// with what [SinkConfig.Validate] reports.
func NewSink(c SinkConfig, env feed.StageEnv) (*Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	cl, err := newClient(c)
	if err != nil {
		return nil, err
	}
	s := &Sink{config: c, route: env.Feed + "/" + env.Route, client: cl, events: newSinkEvents()}
	s.lifetime, s.end = context.WithCancel(context.Background())
	return s, nil
}

// PublishBatch sends the batch and returns nil when all of it was answered with
// 2xx. A *[feed.BatchError] lists the messages that were not.
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	received := b.Received
	if received.IsZero() {
		received = time.Now()
	}
	return s.publish(ctx, "", b.Messages, received)
}

// Publish is PublishBatch for messages that all go to topic; an empty topic
// stands for the one in each message's metadata. It ends when the context of
// the first message does.
func (s *Sink) Publish(topic string, msgs ...*message.Message) error {
	if len(msgs) == 0 {
		return nil
	}
	return s.publish(msgs[0].Context(), topic, msgs, time.Now())
}

func (s *Sink) publish(ctx context.Context, topic string, msgs []*message.Message, received time.Time) error {
	return s.use(ctx, func(ctx context.Context) error {
		d := &dispatch{sink: s, ctx: ctx, topic: topic, msgs: msgs, received: received}
		return d.all()
	})
}

// Probe asks for the headers of the URL (HEAD) and returns nil when the answer
// says neither that the receiver is down, nor that it wants other credentials
// or no requests now. Implements [feed.Prober].
func (s *Sink) Probe(ctx context.Context) error {
	return s.use(ctx, func(ctx context.Context) error {
		a, err := s.client.ask(ctx)
		if err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		switch a.status {
		case 401, 403, 407, 429:
		default:
			if a.status < 500 {
				return nil
			}
		}
		s.heed(a)
		return fmt.Errorf("probe: %w", a.error())
	})
}

// use calls do alone, with a context that ends with the sink, too.
func (s *Sink) use(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.lifetime, func() { cancel(ErrClosed) })()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if s.lifetime.Err() != nil {
		return ErrClosed
	}
	if wait := time.Until(s.notBefore); wait > 0 {
		return fmt.Errorf("the receiver has asked for a pause, of which %v are left", wait.Round(time.Millisecond))
	}
	err := do(ctx)
	if err != nil && s.lifetime.Err() != nil {
		return fmt.Errorf("outcome unknown: %w", ErrClosed)
	}
	return err
}

// heed notes how long the receiver wants to be left alone.
func (s *Sink) heed(a answer) {
	if a.retryAfter > 0 {
		s.events.Add(eventPause, 1)
		s.notBefore = time.Now().Add(a.retryAfter)
	}
}

// Close cancels what is being sent and waits for it. Idempotent.
func (s *Sink) Close() error {
	s.end()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.client.close()
	return nil
}
