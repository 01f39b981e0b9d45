package amqp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// prepareQueue declares queue as d says, or checks that it exists when d is
// nil. Each declaration takes a channel of its own, because the broker closes
// the channel of one that fails.
func prepareQueue(l link, queue string, d *Declare) error {
	ch, err := l.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer func() { _ = ch.Close() }() // closed already when a declaration failed
	if d == nil {
		if _, err := ch.QueueDeclarePassive(queue, false, false, false, false, nil); err != nil {
			return explainMissing("queue", queue, err)
		}
		return nil
	}
	return d.apply(ch, queue, majorVersion(l.ServerVersion()))
}

// apply declares everything, in the order in which the parts need each other.
func (d *Declare) apply(ch channel, queue string, major int) error {
	if e := d.Exchange; e.Name != "" {
		if err := ch.ExchangeDeclare(e.Name, e.kind(), !e.Transient, false, false, false, nil); err != nil {
			return explainMismatch("exchange", e.Name, "declare.exchange", err)
		}
	}
	if err := d.declareDeadLetters(ch, major); err != nil {
		return err
	}
	if d.Shards.Exchange != "" {
		return d.declareShards(ch, queue, major)
	}
	if err := d.declareQueue(ch, queue, major); err != nil {
		return err
	}
	for _, b := range d.bindings() {
		if err := ch.QueueBind(queue, b.RoutingKey, b.Exchange, false, nil); err != nil {
			return fmt.Errorf("bind queue %q to exchange %q with routing key %q: %w", queue, b.Exchange, b.RoutingKey, err)
		}
	}
	return nil
}

func (d *Declare) declareQueue(ch channel, queue string, major int) error {
	if _, err := ch.QueueDeclare(queue, !d.Transient, false, false, false, d.arguments(major)); err != nil {
		return explainMismatch("queue", queue, "declare", err)
	}
	return nil
}

func (d *Declare) declareDeadLetters(ch channel, major int) error {
	dl := d.DeadLetter
	if dl.Queue == "" {
		return nil
	}
	if err := ch.ExchangeDeclare(dl.Exchange, string(ExchangeFanout), true, false, false, false, nil); err != nil {
		return explainMismatch("exchange", dl.Exchange, "declare.deadLetter", err)
	}
	args := amqp091.Table{amqp091.QueueTypeArg: d.queueType()}
	unlimited(args, d.quorum(), major)
	if _, err := ch.QueueDeclare(dl.Queue, true, false, false, false, args); err != nil {
		return explainMismatch("queue", dl.Queue, "declare.deadLetter", err)
	}
	if err := ch.QueueBind(dl.Queue, "", dl.Exchange, false, nil); err != nil {
		return fmt.Errorf("bind queue %q to exchange %q: %w", dl.Queue, dl.Exchange, err)
	}
	return nil
}

func (d *Declare) queueType() string {
	if d.Type == "" {
		return string(QueueQuorum)
	}
	return string(d.Type)
}

// arguments returns the queue's arguments for a broker of the given major
// version.
func (d *Declare) arguments(major int) amqp091.Table {
	if d.stream() {
		return d.streamArguments()
	}
	args := amqp091.Table{
		amqp091.QueueTypeArg:     d.queueType(),
		amqp091.QueueOverflowArg: string(d.overflow()),
	}
	unlimited(args, d.quorum(), major)
	if d.MaxLength > 0 {
		args[amqp091.QueueMaxLenArg] = d.MaxLength
	}
	if d.MaxBytes > 0 {
		args[amqp091.QueueMaxLenBytesArg] = int64(d.MaxBytes)
	}
	if d.SingleActiveConsumer {
		args[amqp091.SingleActiveConsumerArg] = true
	}
	if dl := d.DeadLetter; dl.Exchange != "" {
		args["x-dead-letter-exchange"] = dl.Exchange
		if dl.RoutingKey != "" {
			args["x-dead-letter-routing-key"] = dl.RoutingKey
		}
		if d.atLeastOnce() {
			args["x-dead-letter-strategy"] = string(AtLeastOnce)
		}
	}
	return args
}

// streamArguments returns the arguments of a stream.
func (d *Declare) streamArguments() amqp091.Table {
	args := amqp091.Table{amqp091.QueueTypeArg: string(QueueStream)}
	if d.MaxBytes > 0 {
		args[amqp091.QueueMaxLenBytesArg] = int64(d.MaxBytes)
	}
	if d.MaxAge > 0 {
		args["x-max-age"] = strconv.FormatInt(int64(d.MaxAge/time.Second), 10) + "s"
	}
	if d.SegmentBytes > 0 {
		args["x-stream-max-segment-size-bytes"] = int64(d.SegmentBytes)
	}
	return args
}

// unlimited turns off the delivery limit, after which a quorum queue drops a
// message: whether a message is poison is the feed's decision. From 4.0 on the
// broker has a limit of 20 unless told otherwise; earlier ones have none and
// refuse the -1.
func unlimited(args amqp091.Table, quorum bool, major int) {
	if quorum && major >= 4 {
		args["x-delivery-limit"] = int64(-1)
	}
}

// majorVersion returns the first number of a version, or 0.
func majorVersion(version string) int {
	head, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(head)
	if err != nil {
		return 0
	}
	return n
}

// explainMissing says what to do about a queue or exchange that is not there.
func explainMissing(kind, name string, err error) error {
	var e *amqp091.Error
	if errors.As(err, &e) && e.Code == amqp091.NotFound {
		return fmt.Errorf("%s %q does not exist on the broker: create it, or let the stage declare it with the key declare: %w", kind, name, err)
	}
	return fmt.Errorf("check %s %q: %w", kind, name, err)
}
