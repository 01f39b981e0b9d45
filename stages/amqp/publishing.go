package amqp

import (
	"errors"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// maxHeaderFrame bounds a message's properties and headers: they must fit into
// one frame, and a broker that gets a larger one ends the connection.
const maxHeaderFrame = maxFrame - 4<<10

// publishing makes the AMQP message of m. Its errors are permanent: they name
// what AMQP cannot carry.
func publishing(m *message.Message, key, contentType string) (amqp091.Publishing, error) {
	p := amqp091.Publishing{
		DeliveryMode:  amqp091.Persistent,
		MessageId:     m.UUID,
		ContentType:   contentType,
		CorrelationId: m.Metadata[feed.MetaCorrelationID],
		ReplyTo:       m.Metadata[feed.MetaReplyTo],
		Body:          m.Payload,
	}
	if v := m.Metadata[feed.MetaContentType]; v != "" {
		p.ContentType = v
	}
	if v := m.Metadata[feed.MetaTime]; v != "" {
		// AMQP has whole seconds. What is no time has no place in it.
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil {
			p.Timestamp = t
		}
	}
	size := 0
	for k, v := range m.Metadata {
		if feed.ReservedMetadata(k) {
			continue
		}
		if len(k) > maxShortString {
			return p, tooLong("name of a header", len(k))
		}
		if p.Headers == nil {
			p.Headers = make(amqp091.Table, len(m.Metadata))
		}
		p.Headers[k] = v
		size += len(k) + len(v) + 6
	}
	if size > maxHeaderFrame {
		return p, feed.Permanent(fmt.Errorf("headers of %d bytes exceed the %d bytes that AMQP can carry", size, maxHeaderFrame))
	}
	for _, f := range []struct{ what, text string }{
		{"routing key", key}, {"message id", p.MessageId}, {"content type", p.ContentType},
		{"correlation id", p.CorrelationId}, {"reply-to", p.ReplyTo},
	} {
		if len(f.text) > maxShortString {
			return p, tooLong(f.what, len(f.text))
		}
	}
	return p, nil
}

func tooLong(what string, n int) error {
	return feed.Permanent(fmt.Errorf("%s of %d bytes exceeds the %d bytes that AMQP can carry", what, n, maxShortString))
}

// errNoRoutingKey says that neither the configuration nor the message names a
// routing key where one is needed: the default exchange routes by queue name.
var errNoRoutingKey = feed.Permanent(errors.New("no routing key: the message has no topic and the default exchange needs the name of a queue"))
