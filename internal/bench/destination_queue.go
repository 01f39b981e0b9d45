package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// outName is the exchange to which contenders publish, and the quorum queue
// that it leads to.
const outName = "bench-out"

// queueDestination is a queue of RabbitMQ, which is read after runs that are
// witnessed, and counted after others.
type queueDestination struct {
	queues    queues
	witnessed bool
}

func newQueueDestination(url string, api *server.RabbitMQAPI) (*queueDestination, error) {
	d := &queueDestination{queues: queues{url: url, api: api, bindings: []binding{{queue: outName, key: "#"}}}}
	return d, d.queues.declaring("declare the destination", func(channel *amqp.Channel) error {
		if err := channel.ExchangeDeclare(outName, "topic", true, false, false, false, nil); err != nil {
			return err
		}
		if _, err := channel.QueueDeclare(outName, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			return err
		}
		return channel.QueueBind(outName, "#", outName, false, nil)
	})
}

func (d *queueDestination) env() []string { return nil }

func (d *queueDestination) prepare(_ context.Context, witnessed bool) error {
	d.witnessed = witnessed
	return nil
}

func (d *queueDestination) check(ctx context.Context, p *published) error {
	patient, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	if err := d.queues.await(patient, p.messages, func(int) {}); err != nil {
		return err
	}
	return d.queues.onChannel("read the destination", func(channel *amqp.Channel) error {
		if !d.witnessed {
			_, err := channel.QueuePurge(outName, false)
			return err
		}
		arrived := witness.NewTally()
		if err := drain(ctx, channel, p.messages, arrived); err != nil {
			return err
		}
		return p.compare(arrived)
	})
}

// drain takes n messages from the queue.
func drain(ctx context.Context, channel *amqp.Channel, n int, arrived *witness.Tally) error {
	deliveries, err := channel.Consume(outName, "", true, false, false, false, nil)
	if err != nil {
		return err
	}
	patience := time.NewTimer(time.Minute)
	defer patience.Stop()
	for i := range n {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return errors.New("the channel was closed")
			}
			arrived.AddJSON(d.Body)
		case <-patience.C:
			return fmt.Errorf("%d of %d messages came within a minute", i, n)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (d *queueDestination) close() error { return nil }
