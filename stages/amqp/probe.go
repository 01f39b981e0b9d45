package amqp

import (
	"context"
	"errors"
	"fmt"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// Probe implements [feed.Prober]: the broker is reached, the exchange (or the
// fixed queue of the default exchange) exists, and publishers are not blocked.
// The broker tells a connection that it is blocked only when it publishes, so
// Probe publishes one empty message to a queue name that nobody has, on the
// default exchange, where the broker drops it.
func (s *Sink) Probe(ctx context.Context) error {
	l, err := s.conn.get(ctx)
	if err != nil {
		return fmt.Errorf("amqp sink: %w", err)
	}
	if blocked, reason, _ := l.Blocked(); blocked {
		return fmt.Errorf("amqp sink: %w", blockedError(reason))
	}
	err = bounded(ctx, l, s.config.ConnectTimeout, func() error {
		if err := s.declare(l); err != nil {
			return err
		}
		return s.checkTarget(l)
	})
	if err == nil {
		err = s.checkFlow(ctx, l)
	}
	if err != nil {
		return fmt.Errorf("amqp sink: %w", err)
	}
	return nil
}

func (s *Sink) checkTarget(l link) error {
	if s.config.Exchange == "" && s.config.RoutingKey == "" {
		return nil
	}
	ch, err := l.Channel()
	if err != nil {
		return fmt.Errorf("open channel: %w", err)
	}
	defer func() { _ = ch.Close() }() // closed already when the check failed
	if s.config.Exchange == "" {
		if _, err := ch.QueueDeclarePassive(s.config.RoutingKey, false, false, false, false, nil); err != nil {
			return explainMissing("queue", s.config.RoutingKey, err)
		}
		return nil
	}
	if err := ch.ExchangeDeclarePassive(s.config.Exchange, string(ExchangeTopic), false, false, false, false, nil); err != nil {
		return explainMissing("exchange", s.config.Exchange, err)
	}
	return nil
}

// probeKey is the routing key of the probe's message: a queue that no one has.
const probeKey = "datafeed.probe.f2c7a1d4-6c0b-4c53-9d0e-0d3b7f6f3d55"

// checkFlow publishes to nowhere and waits for the confirm.
func (s *Sink) checkFlow(ctx context.Context, l link) error {
	var confirm confirmation
	var ch channel
	var closes <-chan *amqp091.Error
	err := bounded(ctx, l, s.config.ConnectTimeout, func() error {
		var err error
		if ch, err = l.Channel(); err != nil {
			return fmt.Errorf("open channel: %w", err)
		}
		closes = ch.NotifyClose(make(chan *amqp091.Error, 1))
		if err := ch.Confirm(false); err != nil {
			return fmt.Errorf("turn on publisher confirms: %w", err)
		}
		confirm, err = ch.Publish("", probeKey, false, amqp091.Publishing{})
		return err
	})
	if err != nil {
		return err
	}
	for {
		blocked, reason, changed := l.Blocked()
		if blocked {
			// The channel cannot be closed while the broker does not read.
			l.Abort()
			return blockedError(reason)
		}
		select {
		case <-confirm.Done():
			return s.endProbe(ctx, l, ch, confirm, closes)
		case <-changed:
		case <-ctx.Done():
			l.Abort()
			return ctx.Err()
		}
	}
}

// endProbe judges the answer. A refused permission for the default exchange
// is one too: the broker has read the message.
func (s *Sink) endProbe(ctx context.Context, l link, ch channel, confirm confirmation, closes <-chan *amqp091.Error) error {
	if confirm.Acked() {
		return bounded(ctx, l, closeTimeout, ch.Close)
	}
	var e *amqp091.Error
	select {
	case e = <-closes:
	default:
	}
	switch {
	case e != nil && e.Code == amqp091.AccessRefused:
		return nil
	case e != nil:
		return explainEnd(e)
	}
	return errors.New("the broker did not take the probe's message")
}
