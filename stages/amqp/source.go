package amqp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Source consumes from queues, or from streams. It is a [message.Subscriber]
// and a [feed.BatchSubscriber]; of streams, a [feed.OffsetSubscriber]. It owns one connection, which it opens when it is
// first needed and again after it was lost; each subscription has a channel of
// its own on it. Safe for concurrent use.
type Source struct {
	config SourceConfig
	log    *slog.Logger
	name   string
	conn   *redialer

	quiet time.Duration // quietStream

	consumers atomic.Uint64

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	plain  *feed.HandOuts // Subscribe's
}

// NewSource returns a source. It does not connect. The configuration may leave
// the queue empty when every subscription names its topic.
func NewSource(config SourceConfig, env feed.StageEnv) (*Source, error) {
	return newSource(config, env, nil)
}

// newSource lets tests put another dialer in.
func newSource(config SourceConfig, env feed.StageEnv, dial dialer) (*Source, error) {
	var p problems
	p.checkAccess(config.access(""))
	p.check(&config)
	if err := errors.Join(p...); err != nil {
		return nil, err
	}
	s := &Source{config: config, log: logger(env), name: stageName(env), quiet: quietStream, plain: feed.NewHandOuts(errClosed)}
	if dial == nil {
		dial = config.access(s.name + " source").dial
	}
	s.conn = newRedialer(dial, newSourceEvents())
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s, nil
}

// SubscribeBatch implements [feed.BatchSubscriber]: topic is the queue.
func (s *Source) SubscribeBatch(ctx context.Context, topic string) (feed.Subscription, error) {
	sub, err := s.subscribe(ctx, topic, s.config.Prefetch)
	if err != nil {
		return nil, err
	}
	return sub, nil
}

func (s *Source) subscribe(ctx context.Context, topic string, prefetch int) (*subscription, error) {
	queue, err := s.queue(topic)
	if err == nil {
		err = s.errStream()
	}
	if err != nil {
		return nil, err
	}
	l, err := s.conn.get(ctx)
	if err != nil {
		return nil, err
	}
	var sub *subscription
	err = bounded(ctx, l, s.config.ConnectTimeout, func() error {
		if err := prepareQueue(l, queue, s.config.Declare); err != nil {
			return err
		}
		var err error
		sub, err = consume(l, consumption{
			queue: queue, tag: s.consumerTag(), prefetch: prefetch, readAhead: s.config.ReadAhead, exclusive: s.config.Exclusive,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	sub.offset = func() { s.warnOfStream(queue) }
	return sub, nil
}

// SubscribeInitialize declares the queue of a topic when the configuration
// says so, and otherwise checks that it exists. The empty topic stands for the
// configured queue. It implements Watermill's message.SubscribeInitializer.
func (s *Source) SubscribeInitialize(topic string) error { return s.prepare(s.ctx, topic) }

// Probe reports whether the source could consume from the configured queue
// now: the broker is reached and the queue exists, or could be declared.
func (s *Source) Probe(ctx context.Context) error { return s.prepare(ctx, "") }

// queue returns the queue of a topic.
func (s *Source) queue(topic string) (string, error) {
	if topic != "" {
		return topic, nil
	}
	if s.config.Queue == "" {
		return "", &feed.ConfigError{Key: "queue", Problem: "is missing", Remedy: "configure a queue, or subscribe to one by its name as topic"}
	}
	return s.config.Queue, nil
}

func (s *Source) prepare(ctx context.Context, topic string) error {
	queue, err := s.queue(topic)
	if err != nil {
		return err
	}
	l, err := s.conn.get(ctx)
	if err != nil {
		return err
	}
	return bounded(ctx, l, s.config.ConnectTimeout, func() error {
		return prepareQueue(l, queue, s.config.Declare)
	})
}

// consumerTag is unique within the connection.
func (s *Source) consumerTag() string {
	prefix := s.config.ConsumerTag
	if prefix == "" {
		prefix = s.name
	}
	if len(prefix) > 200 {
		prefix = prefix[:200]
	}
	return prefix + "-" + strconv.FormatUint(s.consumers.Add(1), 10)
}

// Close ends all subscriptions and the connection. What is unsettled goes back
// to the queues. Idempotent.
func (s *Source) Close() error {
	s.cancel()
	s.plain.Close()
	if err := s.conn.close(); err != nil {
		return fmt.Errorf("amqp source: %w", err)
	}
	return nil
}

func logger(env feed.StageEnv) *slog.Logger {
	if env.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return env.Logger
}

// stageName names connections and consumers for people at the broker.
func stageName(env feed.StageEnv) string {
	switch {
	case env.Feed != "" && env.Route != "":
		return env.Feed + "/" + env.Route
	case env.Route != "":
		return env.Route
	case env.Feed != "":
		return env.Feed
	}
	return "datafeed"
}
