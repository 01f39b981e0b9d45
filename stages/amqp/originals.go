package amqp

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Restore makes the message of an original in [Format], as the source made it
// of the delivery.
func Restore(o feed.Original) (*message.Message, error) {
	p, err := DecodeProperties(o.Properties)
	if err != nil {
		return nil, err
	}
	m := message.NewMessage(p.MessageID, o.Payload)
	m.Metadata = metadata(&p)
	return m, nil
}

// An Outgoing is a message to publish with all of its original properties.
type Outgoing struct {
	Properties Properties
	Body       []byte
}

// PublishOriginals publishes messages with the properties that they came with,
// typed headers included, to the sink's exchange, under the sink's routing key
// or else the message's own. Exchange and routing key of the properties say
// where a message came from and are no part of it. Otherwise it is as
// [Sink.PublishBatch].
//
// Properties stay as they are, whatever they mean: a message that was not
// persistent is not persistent now, one with an expiration expires again, and
// RabbitMQ refuses one whose user-id is not the user of this connection.
func (s *Sink) PublishOriginals(ctx context.Context, msgs []Outgoing) error {
	run := make([]*outgoing, 0, len(msgs))
	results := make([]error, len(msgs))
	for i, m := range msgs {
		o := &outgoing{index: i, key: s.config.RoutingKey, err: errNotSent}
		if o.key == "" {
			o.key = m.Properties.RoutingKey
		}
		var err error
		switch {
		case o.key == "" && s.config.Exchange == "":
			err = errNoRoutingKey
		case len(o.key) > maxShortString:
			err = tooLong("routing key", len(o.key))
		default:
			if o.msg, err = m.Properties.Publishing(m.Body); err != nil {
				err = feed.Permanent(err)
			}
		}
		if err != nil {
			results[i] = err
			continue
		}
		run = append(run, o)
	}
	if err := s.send(ctx, run); err != nil {
		return fmt.Errorf("amqp sink: %w", err)
	}
	for _, o := range run {
		results[o.index] = o.err
	}
	return batchError(results)
}
