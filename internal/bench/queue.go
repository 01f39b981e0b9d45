package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"golang.org/x/sync/errgroup"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// exchangeName is the exchange that leads to all queues.
const exchangeName = "bench"

// askEvery is how often RabbitMQ is asked what the queues hold.
const askEvery = 200 * time.Millisecond

// queues are the quorum queues that contenders empty, all bound to the same
// exchange: each holds every message.
type queues struct {
	url   string
	api   *server.RabbitMQAPI
	names []string
}

// declare makes the queues and the exchange that leads to them.
func (q queues) declare() error {
	return q.onChannel("declare the queues", func(channel *amqp.Channel) error {
		if err := channel.ExchangeDeclare(exchangeName, "topic", true, false, false, false, nil); err != nil {
			return err
		}
		for _, name := range q.names {
			if _, err := channel.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
				return err
			}
			if err := channel.QueueBind(name, "telemetry.#", exchangeName, false, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// remove deletes the queues, so that they do not fill while others are
// measured.
func (q queues) remove() error {
	return q.onChannel("delete the queues", func(channel *amqp.Channel) error {
		for _, name := range q.names {
			if _, err := channel.QueueDelete(name, false, false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

func (q queues) onChannel(what string, do func(*amqp.Channel) error) error {
	conn, err := amqp.Dial(q.url)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	channel, err := conn.Channel()
	if err == nil {
		err = do(channel)
	}
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// gateways is how many connections fill the queues: one by itself spends most
// of its time waiting for confirms.
const gateways = 4

// fill publishes the load as fast as it goes, waits until each queue holds it,
// and returns what was published. progress is told how far it is.
func (q queues) fill(ctx context.Context, l load, progress func(done int)) (*published, error) {
	readings, err := l.readings(nil)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	made := 0
	next := func() (witness.Reading, bool) {
		mu.Lock()
		defer mu.Unlock()
		if made++; made%1000 == 0 {
			progress(made)
		}
		return readings()
	}
	p := &published{messages: l.messages, tally: witness.NewTally()}
	filling, all := errgroup.WithContext(ctx)
	for range gateways {
		filling.Go(func() error { return q.publish(all, p.tally, 0, next) })
	}
	if err := filling.Wait(); err != nil {
		return nil, fmt.Errorf("fill the queues: %w", err)
	}
	return p, q.await(ctx, l.messages, func(int) {})
}

// publish publishes what next returns over one connection, persistent and
// confirmed, and adds it to a tally. rate is in messages a second; 0 is as fast
// as it goes.
func (q queues) publish(ctx context.Context, t *witness.Tally, rate int, next func() (witness.Reading, bool)) error {
	factory := witness.Factory{URL: q.url, Exchange: exchangeName, Rate: rate, Published: t}
	if err := factory.Publish(ctx, next); err != nil {
		return err
	}
	if factory.Republished > 0 {
		return fmt.Errorf("RabbitMQ did not confirm %d messages", factory.Republished)
	}
	return nil
}

// await waits until each queue holds n messages, unsettled ones included.
// progress is told how many the fullest holds.
func (q queues) await(ctx context.Context, n int, progress func(now int)) error {
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for {
		most, reached := 0, true
		for _, name := range q.names {
			info, err := q.api.Queue(ctx, "/", name)
			if err != nil {
				return fmt.Errorf("ask for the queue: %w", err)
			}
			most, reached = max(most, info.Messages), reached && info.Messages == n
		}
		progress(most)
		if reached {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until each queue holds %d messages: %w", n, context.Cause(ctx))
		case <-ask.C:
		}
	}
}
