package amqp

import (
	"encoding/binary"
	"testing"

	amqp091 "github.com/rabbitmq/amqp091-go"
)

// wireProperties encodes the properties of p as they stand in a content
// header. It panics on headers that AMQP cannot carry.
func wireProperties(p Properties) []byte {
	var flags uint16
	var values []byte
	set := func(flag uint16, present bool, value []byte) {
		if present {
			flags |= flag
			values = append(values, value...)
		}
	}
	text := func(flag uint16, s string) { set(flag, s != "", shortString(nil, s)) }
	text(hasContentType, p.ContentType)
	text(hasContentEncoding, p.ContentEncoding)
	headers := p.RawHeaders
	if p.Headers != nil {
		var err error
		if headers, err = writeTable(p.Headers); err != nil {
			panic(err)
		}
	}
	set(hasHeaders, headers != nil, appendBytes(nil, headers))
	set(hasDeliveryMode, p.DeliveryMode != 0, []byte{p.DeliveryMode})
	set(hasPriority, p.Priority != 0, []byte{p.Priority})
	text(hasCorrelationID, p.CorrelationID)
	text(hasReplyTo, p.ReplyTo)
	text(hasExpiration, p.Expiration)
	text(hasMessageID, p.MessageID)
	set(hasTimestamp, !p.Timestamp.IsZero(), binary.BigEndian.AppendUint64(nil, uint64(p.Timestamp.Unix())))
	text(hasType, p.Type)
	text(hasUserID, p.UserID)
	text(hasAppID, p.AppID)
	return append(binary.BigEndian.AppendUint16(nil, flags), values...)
}

// newDelivery is a delivery as the broker would send d.
func newDelivery(d amqp091.Delivery) *delivery {
	return &delivery{
		tag: d.DeliveryTag, redelivered: d.Redelivered, exchange: d.Exchange, routingKey: d.RoutingKey, body: d.Body,
		properties: wireProperties(libraryProperties(d)),
	}
}

// libraryProperties are the properties of a delivery that the client library
// decoded.
func libraryProperties(d amqp091.Delivery) Properties {
	return Properties{
		Exchange: d.Exchange, RoutingKey: d.RoutingKey, Headers: d.Headers,
		ContentType: d.ContentType, ContentEncoding: d.ContentEncoding, DeliveryMode: d.DeliveryMode, Priority: d.Priority,
		CorrelationID: d.CorrelationId, ReplyTo: d.ReplyTo, Expiration: d.Expiration, MessageID: d.MessageId,
		Timestamp: d.Timestamp, Type: d.Type, UserID: d.UserId, AppID: d.AppId,
	}
}

// propertiesOf decodes the properties of a delivery.
func propertiesOf(t testing.TB, d *delivery) Properties {
	t.Helper()
	p, err := new(decoder).properties(d)
	noError(t, err)
	return p
}
