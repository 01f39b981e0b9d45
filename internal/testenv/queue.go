package testenv

import (
	"errors"
	"testing"
	"time"

	"github.com/rabbitmq/amqp091-go"
)

// DeclareQueue declares a durable queue of a type ("quorum", "stream" or "classic") over a connection of its own, with
// further arguments if args has any.
//
// On a busy machine the leader of a quorum queue or stream may not be there when RabbitMQ looks for it: it then closes the
// connection with INTERNAL_ERROR (541), and the next attempt succeeds.
func DeclareQueue(t testing.TB, url, name, kind string, args amqp091.Table) {
	t.Helper()
	table := amqp091.Table{amqp091.QueueTypeArg: kind}
	for k, v := range args {
		table[k] = v
	}
	Eventually(t, time.Minute, "the queue "+name, func() bool {
		err := declareQueue(url, name, table)
		if e := (*amqp091.Error)(nil); errors.As(err, &e) && e.Code == amqp091.InternalError {
			t.Logf("testenv: declare %s: %v", name, err)
			return false
		}
		check(t, err)
		return true
	})
}

func declareQueue(url, name string, args amqp091.Table) error {
	conn, err := amqp091.Dial(url)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what it did is done, or failed
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	_, err = ch.QueueDeclare(name, true, false, false, false, args)
	return err
}
