package feed

import "github.com/ThreeDotsLabs/watermill/message"

// Metadata keys that stages share. Everything else in a message's metadata is
// a header of the message under its own name.
const (
	// MetaTopic is where a sink publishes the message: an MQTT topic, an AMQP
	// routing key. A source sets it to where the message came from.
	MetaTopic = "topic"
	// MetaTime is the message's own time, RFC 3339 in UTC, where it has one.
	MetaTime = "time"
	// MetaContentType is the MIME type of the payload.
	MetaContentType = "content_type"
	// MetaCorrelationID and MetaReplyTo are request-reply properties.
	MetaCorrelationID = "correlation_id"
	MetaReplyTo       = "reply_to"
)

// ReservedMetadata reports whether key has a meaning of its own and is no
// header of the message.
func ReservedMetadata(key string) bool {
	switch key {
	case MetaTopic, MetaTime, MetaContentType, MetaCorrelationID, MetaReplyTo:
		return true
	}
	return false
}

// Topic returns the topic in the message's metadata, or "".
func Topic(m *message.Message) string { return m.Metadata[MetaTopic] }

// SetTopic sets the topic in the message's metadata.
func SetTopic(m *message.Message, topic string) {
	if m.Metadata == nil {
		m.Metadata = make(message.Metadata, 1)
	}
	m.Metadata[MetaTopic] = topic
}
