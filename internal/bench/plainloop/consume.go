package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

// consumer is a consumer of a queue.
type consumer struct {
	conn       *amqp.Connection
	channel    *amqp.Channel
	deliveries <-chan amqp.Delivery
}

const consumerTag = "plainloop"

// consume begins to consume a queue. When ctx ends it cancels the consumer:
// the deliveries that are here already can still be taken and acknowledged,
// then their channel is closed.
func consume(ctx context.Context, queue string, prefetch int) (*consumer, error) {
	conn, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	c := &consumer{conn: conn}
	if c.channel, err = conn.Channel(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if err := c.channel.Qos(prefetch, 0, false); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c.deliveries, err = c.channel.Consume(queue, consumerTag, false, false, false, false, nil)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("consume: %w", err), conn.Close())
	}
	context.AfterFunc(ctx, func() {
		if err := c.channel.Cancel(consumerTag, false); err != nil {
			fmt.Fprintln(os.Stderr, "plainloop: cancel:", err)
			_ = conn.Close() // which ends the deliveries
		}
	})
	return c, nil
}

// ended returns nil when the deliveries have ended because ctx has.
func (c *consumer) ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return errors.New("RabbitMQ has closed the channel")
	}
	return nil
}
