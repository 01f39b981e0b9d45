package main

import (
	"context"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// payloadBytes is the size of the messages.
const payloadBytes = 200

// askEvery is how often RabbitMQ is asked what the queue holds. It counts twice
// a second.
const askEvery = 200 * time.Millisecond

// queue is the quorum queue that contenders empty.
type queue struct {
	url string
	api *server.RabbitMQAPI
}

// declare makes the queue and the exchange that leads to it.
func (q queue) declare() error {
	conn, err := amqp.Dial(q.url)
	if err != nil {
		return fmt.Errorf("declare the queue: %w", err)
	}
	defer conn.Close() //nolint:errcheck // what was declared is there
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("declare the queue: %w", err)
	}
	if err := channel.ExchangeDeclare(exchangeName, "topic", true, false, false, false, nil); err != nil {
		return fmt.Errorf("declare the exchange: %w", err)
	}
	if _, err := channel.QueueDeclare(queueName, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return fmt.Errorf("declare the queue: %w", err)
	}
	if err := channel.QueueBind(queueName, "telemetry.#", exchangeName, false, nil); err != nil {
		return fmt.Errorf("bind the queue: %w", err)
	}
	return nil
}

// fill publishes n readings, each time the same ones, waits until the queue
// holds them, and returns what was published. progress is told how far it is.
func (q queue) fill(ctx context.Context, n int, progress func(done int)) (*published, error) {
	c := generate.DefaultConfig()
	c.PayloadBytes, c.Start = payloadBytes, "2026-01-01T00:00:00Z"
	readings, err := generate.NewGenerator(c)
	if err != nil {
		return nil, err
	}
	made := 0
	next := func() (witness.Reading, bool) {
		if made == n {
			return witness.Reading{}, false
		}
		if made++; made%1000 == 0 {
			progress(made)
		}
		r := readings.Next()
		return witness.Reading{
			Device: r.Device, Seq: r.Seq, RoutingKey: r.RoutingKey(),
			Payload: r.AppendJSON(make([]byte, 0, payloadBytes+64), payloadBytes),
		}, true
	}
	factory := witness.Factory{URL: q.url, Exchange: exchangeName, Published: witness.NewTally()}
	if err := factory.Publish(ctx, next); err != nil {
		return nil, fmt.Errorf("fill the queue: %w", err)
	}
	if factory.Republished > 0 {
		return nil, fmt.Errorf("fill the queue: RabbitMQ did not confirm %d messages", factory.Republished)
	}
	return &published{messages: n, tally: factory.Published}, q.await(ctx, n, func(int) {})
}

// await waits until the queue holds n messages, unsettled ones included.
func (q queue) await(ctx context.Context, n int, progress func(now int)) error {
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for {
		info, err := q.api.Queue(ctx, "/", queueName)
		if err != nil {
			return fmt.Errorf("ask for the queue: %w", err)
		}
		progress(info.Messages)
		if info.Messages == n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until the queue holds %d messages: %w", n, context.Cause(ctx))
		case <-ask.C:
		}
	}
}
