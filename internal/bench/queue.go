package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
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
// exchange.
type queues struct {
	url      string
	api      *server.RabbitMQAPI
	bindings []binding
}

// binding is a queue and the routing keys that lead to it: all (everything), or
// a part that no other queue has.
type binding struct {
	queue, key string
	fed        bool // contenders fill it, with messages of other keys
}

// copies returns how many messages all queues hold when n were published, and no
// contender has run.
func (q queues) copies(n int) int {
	whole, parts := 0, 0
	for _, b := range q.bindings {
		switch {
		case b.fed:
		case b.key == everything:
			whole++
		default:
			parts = 1 // of them all together
		}
	}
	return n * (whole + parts)
}

// declare makes the queues and the exchange that leads to them.
func (q queues) declare() error {
	return q.declaring("declare the queues", func(channel *amqp.Channel) error {
		if err := channel.ExchangeDeclare(exchangeName, "topic", true, false, false, false, nil); err != nil {
			return err
		}
		for _, b := range q.bindings {
			if _, err := channel.QueueDeclare(b.queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
				return err
			}
			if err := channel.QueueBind(b.queue, b.key, exchangeName, false, nil); err != nil {
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
		for _, b := range q.bindings {
			if _, err := channel.QueueDelete(b.queue, false, false, false); err != nil {
				return err
			}
		}
		return nil
	})
}

// unbind keeps further messages from the queues.
func (q queues) unbind() error {
	return q.onChannel("unbind the queues", func(channel *amqp.Channel) error {
		for _, b := range q.bindings {
			if err := channel.QueueUnbind(b.queue, b.key, exchangeName, nil); err != nil {
				return err
			}
		}
		return nil
	})
}

// declaring is onChannel, again when the broker is too busy: it has not always
// started a queue's leader when it looks for it, and fails with INTERNAL_ERROR.
func (q queues) declaring(what string, declare func(*amqp.Channel) error) error {
	const attempts = 5
	var err error
	for range attempts {
		err = q.onChannel(what, declare)
		if e := (*amqp.Error)(nil); !errors.As(err, &e) || e.Code != amqp.InternalError {
			break
		}
	}
	return err
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

// fill publishes the load as fast as it goes, waits until the queues hold it,
// and returns what was published. progress is told how far it is.
func (q queues) fill(ctx context.Context, l load, progress func(done int)) (*published, error) {
	p := &published{messages: l.messages, tally: witness.NewTally()}
	sent := p.tally
	var next func() (witness.Reading, bool)
	var err error
	if l.perBatch > 0 {
		sent = witness.NewTally() // of batches
		next, err = l.batches(p.tally)
	} else {
		next, err = l.readings(nil)
	}
	if err != nil {
		return nil, err
	}
	if err := q.publishAll(ctx, sent, next, progress); err != nil {
		return nil, err
	}
	return p, q.await(ctx, q.copies(l.carried()), func(int) {})
}

// publishAll publishes what readings returns as fast as it goes, and adds it to
// a tally.
func (q queues) publishAll(ctx context.Context, t *witness.Tally, readings func() (witness.Reading, bool), progress func(done int)) error {
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
	filling, all := errgroup.WithContext(ctx)
	for range gateways {
		filling.Go(func() error { return q.publish(all, t, 0, next) })
	}
	if err := filling.Wait(); err != nil {
		return fmt.Errorf("fill the queues: %w", err)
	}
	return nil
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

// await waits until the queues hold n messages together, unsettled ones
// included. progress is told how many they hold.
func (q queues) await(ctx context.Context, n int, progress func(now int)) error {
	ask := time.NewTicker(askEvery)
	defer ask.Stop()
	for {
		now, err := q.held(ctx)
		if err != nil {
			return err
		}
		progress(now)
		if now == n {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until the queues hold %d messages, %d now: %w", n, now, context.Cause(ctx))
		case <-ask.C:
		}
	}
}

// held returns how many messages all queues hold. RabbitMQ counts them every
// second.
func (q queues) held(ctx context.Context) (int, error) {
	var list []struct {
		Name     string `json:"name"`
		Messages int    `json:"messages"`
	}
	// One question for all: there may be many queues.
	if err := q.api.Do(ctx, http.MethodGet, server.Path("queues", "/")+"?columns=name,messages", nil, &list); err != nil {
		return 0, fmt.Errorf("ask for the queues: %w", err)
	}
	sum, found := 0, 0
	for _, info := range list {
		if slices.ContainsFunc(q.bindings, func(b binding) bool { return b.queue == info.Name }) {
			sum, found = sum+info.Messages, found+1
		}
	}
	if found < len(q.bindings) {
		return 0, fmt.Errorf("ask for the queues: %d of %d are there", found, len(q.bindings))
	}
	return sum, nil
}
