package amqp

import (
	"errors"
	"fmt"
	"sync"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// consumer is a consumer on a channel of its own, with the inbox that its
// deliveries come to.
type consumer struct {
	link  link
	ch    channel
	queue string
	box   *inbox
	pump  sync.WaitGroup
}

// consumption says what to consume, and how.
type consumption struct {
	queue, tag string
	prefetch   int       // most deliveries without an acknowledgement
	readAhead  feed.Size // most bytes that wait in the inbox
	exclusive  bool
	args       amqp091.Table
}

// newConsumer starts a consumer.
func newConsumer(l link, with consumption) (*consumer, error) {
	ch, err := l.Channel()
	if err != nil {
		return nil, fmt.Errorf("open channel: %w", err)
	}
	c := &consumer{link: l, ch: ch, queue: with.queue, box: newInbox(with.readAhead)}
	c.box.rests = with.prefetch >= restPrefetch
	ends := consumerEnds{
		closes:  ch.NotifyClose(make(chan *amqp091.Error, 1)),
		cancels: ch.NotifyCancel(make(chan string, 1)),
	}
	if err := ch.Qos(with.prefetch, 0, false); err != nil {
		_ = ch.Close() // the first failure says more
		return nil, fmt.Errorf("set prefetch %d: %w", with.prefetch, err)
	}
	stop := l.Deliver(with.tag, c.box)
	deliveries, err := ch.Consume(with.queue, with.tag, false, with.exclusive, false, false, with.args)
	if err != nil {
		stop()
		_ = ch.Close()
		return nil, explainConsume(with.queue, err)
	}
	c.pump.Go(func() {
		defer stop()
		c.run(deliveries, ends)
	})
	return c, nil
}

func explainConsume(queue string, err error) error {
	var e *amqp091.Error
	if errors.As(err, &e) && e.Code == amqp091.AccessRefused {
		return fmt.Errorf("consume from queue %q: %w: another consumer is exclusive, or the user lacks the permission to read", queue, err)
	}
	return explainMissing("queue", queue, err)
}

// consumerEnds tell why a consumer ended. The library fills them before it
// closes the deliveries.
type consumerEnds struct {
	closes  <-chan *amqp091.Error
	cancels <-chan string
}

func (e consumerEnds) reason() error {
	select {
	case err, ok := <-e.closes:
		if ok && err != nil {
			return explainEnd(err)
		}
	default:
	}
	select {
	case _, ok := <-e.cancels:
		if ok {
			return errors.New("the broker cancelled the consumer: the queue was deleted or its node left")
		}
	default:
	}
	return errLinkClosed
}

// run waits until the consumer ends. The link puts its deliveries into the
// inbox by itself; should one come this way, its tag is missing there.
func (c *consumer) run(deliveries <-chan amqp091.Delivery, ends consumerEnds) {
	for range deliveries { //nolint:revive // until it is closed
	}
	c.box.end(fmt.Errorf("consume from queue %q: %w", c.queue, ends.reason()))
}
