package main

import (
	"errors"
	"fmt"
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

// publisher is a channel with confirms, to an exchange.
type publisher struct {
	conn     *amqp.Connection
	channel  *amqp.Channel
	closed   chan *amqp.Error
	exchange string
}

func openPublisher(exchange string) (*publisher, error) {
	conn, err := amqp.Dial(os.Getenv("AMQP_URL"))
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	p := &publisher{conn: conn, exchange: exchange}
	if p.channel, err = conn.Channel(); err == nil {
		err = p.channel.Confirm(false)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	p.closed = p.channel.NotifyClose(make(chan *amqp.Error, 1))
	return p, nil
}

// publish publishes a reading, persistent; the confirm is to be waited for.
func (p *publisher) publish(line []byte, key, id string) (*amqp.DeferredConfirmation, error) {
	c, err := p.channel.PublishWithDeferredConfirm(p.exchange, key, false, false, amqp.Publishing{
		DeliveryMode: amqp.Persistent, ContentType: "application/json", Body: line, MessageId: id,
	})
	if err != nil {
		return nil, fmt.Errorf("publish: %w", err)
	}
	return c, nil
}
