package mqtt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

// ErrClosed is what the methods of a closed [Sink] return.
var ErrClosed = errors.New("the MQTT sink is closed")

var (
	_ message.Publisher   = (*Sink)(nil)
	_ feed.BatchPublisher = (*Sink)(nil)
	_ feed.Prober         = (*Sink)(nil)
	_ feed.Durability     = (*Sink)(nil)
	_ feed.EventCounter   = (*Sink)(nil)
	_ feed.DurableConfig  = (*Config)(nil)
	_ feed.EndpointConfig = (*Config)(nil)
)

// Sink publishes messages to an MQTT 5 broker. It holds one connection, opened
// by the first call that needs it and again by the first call after it was
// lost: one attempt for each call, as retrying is the route's.
//
// Its methods are safe for concurrent use; all but Close wait for each other.
type Sink struct {
	config   Config
	clientID string
	log      *slog.Logger
	events   *feed.EventCounts
	dial     dialFunc

	closing context.Context // ends when Close is called
	stop    context.CancelFunc

	turn chan struct{} // 1-buffered: full while a call uses conn

	mu   sync.Mutex
	conn *conn // the last one, alive or not; set while turn is held
}

// NewSink returns a sink that is not connected yet. It fails with a
// *[feed.ConfigError] when the configuration is wrong.
func NewSink(c Config, env feed.StageEnv) (*Sink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	log := env.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	id := c.ClientID
	if id == "" {
		id = newClientID(env.Route)
	}
	s := &Sink{
		config: c, clientID: id, log: log, events: newSinkEvents(),
		dial: (&net.Dialer{}).DialContext,
		turn: make(chan struct{}, 1),
	}
	s.closing, s.stop = context.WithCancel(context.Background())
	return s, nil
}

// newClientID makes "feed-<route>-<random>" of characters that every broker
// takes.
func newClientID(route string) string {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '-'
	}, route)
	if len(plain) > 64 {
		plain = plain[:64]
	}
	return "feed-" + plain + "-" + strings.ToLower(rand.Text()[:8])
}

// Durable reports whether the sink's "done" means that the broker has the
// message: QoS 1.
func (s *Sink) Durable() bool { return s.config.Durable() }

// Publish is PublishBatch for messages that all go to topic; an empty topic
// stands for the one in each message's metadata. It ends when it is done or
// has failed, which a broker's silence delays by connectTimeout and ackTimeout
// at most.
func (s *Sink) Publish(topic string, msgs ...*message.Message) error {
	return s.publish(context.Background(), topic, msgs)
}

// PublishBatch publishes the batch in order and returns nil only when every
// message is acknowledged with a success (QoS 1) or written to the socket
// (QoS 0). It implements [feed.BatchPublisher]. When ctx ends first, the
// connection is dropped, so that a late acknowledgement is not taken for
// another message's.
func (s *Sink) PublishBatch(ctx context.Context, b *feed.Batch) error {
	return s.publish(ctx, "", b.Messages)
}

func (s *Sink) publish(ctx context.Context, topic string, msgs []*message.Message) error {
	return s.use(ctx, func(c *conn) error { return c.publish(topic, msgs) })
}

// Probe connects if need be, and returns nil when the broker has answered a
// ping. It implements [feed.Prober].
func (s *Sink) Probe(ctx context.Context) error {
	return s.use(ctx, func(c *conn) error {
		pongs, err := c.ping(true)
		if err == nil {
			err = c.await(0, pongs)
		}
		if err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		return nil
	})
}

// use calls do with a live connection, alone, and drops the connection when ctx
// ends or the sink is closed.
func (s *Sink) use(ctx context.Context, do func(*conn) error) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.closing.Done():
		return ErrClosed
	}
	defer func() { <-s.turn }()
	if s.closing.Err() != nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := s.connection(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { c.fail(context.Cause(ctx)) })
	defer stop()
	if err := do(c); err != nil {
		if s.closing.Err() != nil {
			return fmt.Errorf("outcome unknown: %w", ErrClosed)
		}
		if ctx.Err() != nil && c.failure() != nil {
			return fmt.Errorf("outcome unknown: %w", ctx.Err())
		}
		return err
	}
	return nil
}

// connection returns the live connection, or opens one. The caller has the
// turn.
func (s *Sink) connection(ctx context.Context) (*conn, error) {
	slow := false
	if c := s.conn; c != nil {
		err := c.failure()
		if err == nil {
			return c, nil
		}
		c.tasks.Wait()
		slow = c.cutShort()
		s.events.Add(eventConnectionLost, 1)
		s.log.Debug("connecting again", "after", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	c, err := s.connect(ctx)
	if err != nil {
		if s.closing.Err() != nil {
			return nil, ErrClosed
		}
		return nil, err
	}
	s.events.Add(eventConnected, 1)
	if slow {
		c.slowly()
	}
	s.mu.Lock()
	s.conn = c
	s.mu.Unlock()
	if s.closing.Err() != nil {
		c.close(ErrClosed)
		return nil, ErrClosed
	}
	id := s.clientID
	if c.broker.clientID != "" {
		id = c.broker.clientID
	}
	s.log.Info("connected", "broker", s.config.URL, "clientId", id,
		"inflight", c.win.size, "slowStart", slow, "maxPacketSize", c.enc.maxPacket, "keepAlive", c.broker.keepAlive)
	return c, nil
}

// Close takes leave of the broker and waits for the sink's goroutines. A call
// that is under way ends with [ErrClosed]. Close is idempotent.
func (s *Sink) Close() error {
	s.stop()
	s.mu.Lock()
	c := s.conn
	s.mu.Unlock()
	if c != nil {
		c.close(ErrClosed)
	}
	return nil
}
