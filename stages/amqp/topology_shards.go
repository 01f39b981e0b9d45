package amqp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// shardsExchangeType picks a queue by the hash of the routing key modulo the
// number of queues, in the order of their names. A consistent-hash exchange
// would order them anew at each start of the broker, and so move keys between
// queues that hold messages of them.
const shardsExchangeType = "x-modulus-hash"

// declareShards declares all shards, of which queue is one. The exchange gets
// its first message when the last shard is bound, and not before: each binding
// changes the shard of most keys.
func (d *Declare) declareShards(ch channel, queue string, major int) error {
	exchange, queues := d.Shards.Exchange, d.Shards.Queues
	if !slices.Contains(queues, queue) {
		return d.notAShard(queue)
	}
	if err := ch.ExchangeDeclare(exchange, shardsExchangeType, true, false, false, false, nil); err != nil {
		return explainShards(exchange, err)
	}
	for _, q := range queues {
		if err := d.declareQueue(ch, q, major); err != nil {
			return err
		}
		// The type ignores the routing keys of its bindings, but counts a queue
		// for each: all feeds must use the same.
		if err := ch.QueueBind(q, "", exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %q to exchange %q: %w", q, exchange, err)
		}
	}
	for _, b := range d.bindings() {
		if err := ch.ExchangeBind(exchange, b.RoutingKey, b.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind exchange %q to exchange %q with routing key %q: %w", exchange, b.Exchange, b.RoutingKey, err)
		}
	}
	return nil
}

// notAShard says that queue is not listed.
func (d *Declare) notAShard(queue string) *feed.ConfigError {
	return &feed.ConfigError{
		Key:     "declare.shards.queues",
		Problem: fmt.Sprintf("does not list the queue %q, which is to be consumed", queue),
		Remedy:  fmt.Sprintf("consume from one of %q, or list the queue in all feeds that read a shard", d.Shards.Queues),
	}
}

// explainShards says why the broker refuses the exchange of the shards. A type
// that it does not know is answered with 503, which ends the connection.
func explainShards(exchange string, err error) error {
	var e *amqp091.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("declare exchange %q: %w", exchange, err)
	}
	if strings.Contains(e.Reason, "unknown exchange type") || strings.Contains(e.Reason, "invalid exchange type") {
		return &feed.ConfigError{
			Key:     "declare.shards.exchange",
			Problem: fmt.Sprintf("the broker does not know the exchange type %s: %s", shardsExchangeType, e.Reason),
			Remedy:  "run \"rabbitmq-plugins enable rabbitmq_sharding\" on each node of the broker (from RabbitMQ 4.3 on the type is built in)",
		}
	}
	if e.Code != amqp091.PreconditionFailed {
		return fmt.Errorf("declare exchange %q: %w", exchange, err)
	}
	return &feed.ConfigError{
		Key:     "declare.shards.exchange",
		Problem: fmt.Sprintf("exchange %q exists and is no durable exchange of the type %s: %s", exchange, shardsExchangeType, e.Reason),
		Remedy:  "use another name; or, once the exchange is no longer needed, delete it on the broker so that it is declared anew",
	}
}
