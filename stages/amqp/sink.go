package amqp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Sink publishes to an exchange with publisher confirms. It is a
// [message.Publisher], a [feed.BatchPublisher] and a [feed.Prober]. It owns
// one connection, never shared with a source: a broker under a memory or disk
// alarm blocks connections that publish. Safe for concurrent use.
type Sink struct {
	config SinkConfig
	log    *slog.Logger
	conn   *redialer

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	session *session
}

// NewSink returns a sink. It does not connect.
func NewSink(config SinkConfig, env feed.StageEnv) (*Sink, error) {
	return newSink(config, env, nil)
}

// newSink lets tests put another dialer in.
func newSink(config SinkConfig, env feed.StageEnv, dial dialer) (*Sink, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	s := &Sink{config: config, log: logger(env)}
	if dial == nil {
		dial = config.access(stageName(env) + " sink").dial
	}
	s.conn = newRedialer(dial, newSinkEvents())
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// Durable implements [feed.Durability]; see [SinkConfig.Durable].
func (s *Sink) Durable() bool { return s.config.Durable() }

// Publish implements [message.Publisher]: it returns when the broker has
// confirmed all messages, each published with topic as its routing key unless
// the configuration fixes one.
func (s *Sink) Publish(topic string, messages ...*message.Message) error {
	return s.publish(s.ctx, messages, func(m *message.Message) string {
		if topic == "" {
			return feed.Topic(m)
		}
		return topic
	})
}

// PublishBatch implements [feed.BatchPublisher].
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	return s.publish(ctx, b.Messages, feed.Topic)
}

func (s *Sink) publish(ctx context.Context, messages []*message.Message, topic func(*message.Message) string) error {
	if len(messages) == 0 {
		return nil
	}
	// What AMQP cannot carry is known without a broker.
	run := make([]*outgoing, 0, len(messages))
	all := make([]outgoing, len(messages))
	results := make([]error, len(messages))
	for i, m := range messages {
		o := &all[i]
		o.index, o.key = i, s.config.RoutingKey
		if o.key == "" {
			o.key = topic(m)
		}
		var err error
		if o.key == "" && s.config.Exchange == "" {
			err = errNoRoutingKey
		} else {
			o.msg, err = publishing(m, o.key, s.config.ContentType)
		}
		if err != nil {
			results[i] = err
			continue
		}
		run = append(run, o)
	}
	// A sentence to start with: what is not sent has not arrived.
	for _, o := range run {
		o.err = errNotSent
	}
	if err := s.send(ctx, run); err != nil {
		return fmt.Errorf("amqp sink: %w", err)
	}
	for _, o := range run {
		results[o.index] = o.err
	}
	return batchError(results)
}

// batchError returns the errors of messages, in their order, as one of their batch.
func batchError(results []error) error {
	failed := &feed.BatchError{}
	for i, err := range results {
		if err != nil {
			failed.Add(i, err)
		}
	}
	return failed.ErrorOrNil()
}

var errNotSent = errors.New("not sent: the connection failed before")

// send publishes run and fills in each message's error. It returns an error
// of its own only when nothing was sent.
func (s *Sink) send(ctx context.Context, run []*outgoing) error {
	for sent := false; len(run) > 0; sent = true {
		n := min(len(run), maxUnconfirmed)
		sess, err := s.open(ctx)
		if err == nil {
			err = sess.publish(ctx, run[:n])
		}
		if err != nil {
			if !sent {
				return err
			}
			for _, o := range run {
				o.err = err
			}
			return nil
		}
		if sess.ended() {
			s.drop(sess)
			return nil // the rest stays not sent
		}
		run = run[n:]
	}
	return nil
}

// open returns the live session, or makes one.
func (s *Sink) open(ctx context.Context) (*session, error) {
	l, err := s.conn.get(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.session != nil && s.session.link == l && !s.session.ended() {
		sess := s.session
		s.mu.Unlock()
		return sess, nil
	}
	s.mu.Unlock()

	sess, err := s.start(ctx, l)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	if s.session != nil && s.session.link == l && !s.session.ended() {
		// Another caller was faster.
		first := s.session
		s.mu.Unlock()
		_ = bounded(ctx, l, closeTimeout, sess.ch.Close)
		return first, nil
	}
	s.session = sess
	s.mu.Unlock()
	return sess, nil
}

// start opens a channel in confirm mode, after declaring the exchange.
func (s *Sink) start(ctx context.Context, l link) (*session, error) {
	var sess *session
	err := bounded(ctx, l, s.config.ConnectTimeout, func() error {
		if err := s.declare(l); err != nil {
			return err
		}
		var err error
		sess, err = newSession(l, &s.config, s.conn.events)
		return err
	})
	return sess, err
}

func (s *Sink) declare(l link) error {
	d := s.config.Declare
	if d == nil {
		return nil
	}
	ch, err := l.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer func() { _ = ch.Close() }() // closed already when the declaration failed
	if err := ch.ExchangeDeclare(s.config.Exchange, d.kind(), !d.Transient, false, false, false, nil); err != nil {
		return explainMismatch("exchange", s.config.Exchange, "declare", err)
	}
	return nil
}

// drop gives up a session whose outcome is unknown, and its connection, so
// that no late answer can be taken for that of another message.
func (s *Sink) drop(sess *session) {
	s.mu.Lock()
	if s.session == sess {
		s.session = nil
	}
	s.mu.Unlock()
	if !sess.byServer() {
		sess.link.Abort()
	}
}

// Close ends the connection; what is being published fails. Idempotent.
func (s *Sink) Close() error {
	s.cancel()
	if err := s.conn.close(); err != nil {
		return fmt.Errorf("amqp sink: %w", err)
	}
	return nil
}
