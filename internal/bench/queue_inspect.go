package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// inspectEvery is how often a queue is inspected while something is awaited.
const inspectEvery = 20 * time.Millisecond

// inspectedQueue is a queue that is asked itself: unlike the HTTP API, which
// counts every second, it tells what is ready at the moment.
type inspectedQueue struct {
	conn    *amqp.Connection
	channel *amqp.Channel
	name    string
}

func openQueue(url, name string) (*inspectedQueue, error) {
	conn, err := amqp.Dial(url)
	if err != nil {
		return nil, fmt.Errorf("inspect queue %s: %w", name, err)
	}
	channel, err := conn.Channel()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("inspect queue %s: %w", name, err), conn.Close())
	}
	return &inspectedQueue{conn: conn, channel: channel, name: name}, nil
}

// inspect returns how many messages are ready, and how many consumers there
// are.
func (q *inspectedQueue) inspect() (amqp.Queue, error) {
	now, err := q.channel.QueueDeclarePassive(q.name, true, false, false, false, nil)
	if err != nil {
		return now, fmt.Errorf("inspect queue %s: %w", q.name, err)
	}
	return now, nil
}

// await inspects the queue, from which somebody consumes, until reached returns
// true. RabbitMQ answers with no messages and no consumers when a quorum queue
// is too busy to tell, as one of millions of messages is when its first consumer
// comes; that is taken for no answer.
func (q *inspectedQueue) await(ctx context.Context, reached func(now amqp.Queue) bool) error {
	for {
		now, err := q.inspect()
		if err != nil {
			return err
		}
		if answered := now.Messages > 0 || now.Consumers > 0; answered && reached(now) {
			return nil
		}
		if err := pause(ctx, inspectEvery); err != nil {
			return fmt.Errorf("wait for queue %s, %d messages are ready: %w", q.name, now.Messages, err)
		}
	}
}

// pause returns after a while, or with an error when ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func (q *inspectedQueue) close() error { return q.conn.Close() }
