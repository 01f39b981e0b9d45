package amqp

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// closeTimeout is how long the broker gets to answer a close.
const closeTimeout = 5 * time.Second

// link is one live connection to a broker: the seam between this package and
// the client library. A link never reconnects.
type link interface {
	// Channel opens a channel. It blocks until the broker answered or the
	// link ended.
	Channel() (channel, error)
	// ServerVersion is the broker's version, such as "3.10.8".
	ServerVersion() string
	// Blocked reports whether the broker has stopped taking messages, why, and
	// a channel that is closed at the next change.
	Blocked() (blocked bool, reason string, changed <-chan struct{})
	// Deliver has the link put the deliveries of a consumer into box by itself
	// until stop is called. A link that cannot do so leaves them to the
	// channel that Consume returns. Call it before Consume.
	Deliver(consumer string, box *inbox) (stop func())
	// Cork gathers what is written until Uncork sends it in one piece.
	Cork()
	Uncork() error
	// Alive reports whether the link has neither ended nor been aborted.
	Alive() bool
	// Done is closed when the link has ended; Err then says why.
	Done() <-chan struct{}
	Err() error
	// Abort cuts the connection without waiting.
	Abort()
	// Close ends the connection in an orderly way within closeTimeout.
	Close() error
}

// channel is what this package needs of a channel.
type channel interface {
	Qos(count, size int, global bool) error
	Consume(queue, consumer string, autoAck, exclusive, noLocal, noWait bool, args amqp091.Table) (<-chan amqp091.Delivery, error)
	Ack(tag uint64, multiple bool) error

	Confirm(noWait bool) error
	Publish(exchange, key string, mandatory bool, msg amqp091.Publishing) (confirmation, error)
	NotifyReturn(c chan amqp091.Return) chan amqp091.Return

	QueueDeclare(name string, durable, autoDelete, exclusive, noWait bool, args amqp091.Table) (amqp091.Queue, error)
	QueueDeclarePassive(name string, durable, autoDelete, exclusive, noWait bool, args amqp091.Table) (amqp091.Queue, error)
	QueueBind(name, key, exchange string, noWait bool, args amqp091.Table) error
	ExchangeDeclare(name, kind string, durable, autoDelete, internal, noWait bool, args amqp091.Table) error
	ExchangeBind(destination, key, source string, noWait bool, args amqp091.Table) error
	ExchangeDeclarePassive(name, kind string, durable, autoDelete, internal, noWait bool, args amqp091.Table) error

	NotifyClose(c chan *amqp091.Error) chan *amqp091.Error
	NotifyCancel(c chan string) chan string
	Close() error
}

// confirmation is a publisher confirm to come.
type confirmation interface {
	// Done is closed when the broker has answered or the channel has closed.
	Done() <-chan struct{}
	// Acked reports whether the broker took the message. It is false when the
	// channel closed first.
	Acked() bool
}

// clientLink is a link over the client library.
type clientLink struct {
	conn *amqp091.Connection
	sock *socket
	done chan struct{}

	mu      sync.Mutex
	blocked bool
	reason  string
	changed chan struct{}
	err     error
}

// newClientLink watches conn until it ends.
func newClientLink(conn *amqp091.Connection, sock *socket) *clientLink {
	l := &clientLink{conn: conn, sock: sock, done: make(chan struct{}), changed: make(chan struct{})}
	closes := conn.NotifyClose(make(chan *amqp091.Error, 1))
	blocks := conn.NotifyBlocked(make(chan amqp091.Blocking, 1))
	go l.watch(closes, blocks)
	return l
}

// watch ends with the connection, which closes both channels.
func (l *clientLink) watch(closes <-chan *amqp091.Error, blocks <-chan amqp091.Blocking) {
	defer close(l.done)
	for {
		select {
		case e, ok := <-closes:
			if !ok {
				return
			}
			l.mu.Lock()
			l.err = explainEnd(e)
			l.mu.Unlock()
		case b, ok := <-blocks:
			if !ok {
				blocks = nil
				continue
			}
			l.mu.Lock()
			l.blocked, l.reason = b.Active, b.Reason
			close(l.changed)
			l.changed = make(chan struct{})
			l.mu.Unlock()
		}
	}
}

func (l *clientLink) Channel() (channel, error) {
	ch, err := l.conn.Channel()
	if err != nil {
		return nil, err
	}
	return clientChannel{ch}, nil
}

func (l *clientLink) ServerVersion() string {
	v, _ := l.conn.Properties["version"].(string)
	return v
}

func (l *clientLink) Blocked() (bool, string, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blocked, l.reason, l.changed
}

func (l *clientLink) Deliver(consumer string, box *inbox) func() {
	return l.sock.in.deliver(consumer, box)
}

func (l *clientLink) Cork()                 { l.sock.Cork() }
func (l *clientLink) Uncork() error         { return l.sock.Uncork() }
func (l *clientLink) Done() <-chan struct{} { return l.done }
func (l *clientLink) Abort()                { l.sock.Abort() }

// Alive knows of a lost connection before Done does.
func (l *clientLink) Alive() bool { return !l.conn.IsClosed() && !l.sock.aborted.Load() }

func (l *clientLink) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	return errLinkClosed
}

// Close never hangs: a broker under a resource alarm does not read what its
// publishers send, and so never answers.
func (l *clientLink) Close() error {
	l.sock.in.unbound() // the broker's answer comes behind them
	t := time.AfterFunc(closeTimeout, l.sock.Abort)
	err := l.conn.Close()
	t.Stop()
	l.sock.Abort()
	<-l.done
	// That it has ended already, or that the broker ends it at the same moment, is
	// no failure: nothing depends on the farewell.
	if ended := (*amqp091.Error)(nil); err != nil && !errors.As(err, &ended) {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}

var errLinkClosed = errors.New("connection closed")

// clientChannel adapts the library's channel.
type clientChannel struct{ *amqp091.Channel }

// Publish sends one message. The library wants a context and ignores it.
func (c clientChannel) Publish(exchange, key string, mandatory bool, msg amqp091.Publishing) (confirmation, error) {
	dc, err := c.PublishWithDeferredConfirm(exchange, key, mandatory, false, msg)
	if err != nil {
		return nil, err
	}
	return dc, nil
}

// bounded runs an exchange with the broker and cuts the link when it takes
// longer than limit or than ctx, so that it always returns.
func bounded(ctx context.Context, l link, limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, l.Abort)
	err := f()
	if !stop() && err != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}
