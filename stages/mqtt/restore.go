package mqtt

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Restore makes the message of an original in [Format], as the source had made
// it of the delivery.
func Restore(o feed.Original) (*message.Message, error) {
	var p Properties
	if err := json.Unmarshal(o.Properties, &p); err != nil {
		return nil, fmt.Errorf("mqtt: restore: %w", err)
	}
	m := &message.Message{Payload: o.Payload, Metadata: message.Metadata{feed.MetaTopic: p.Topic}}
	for name, value := range map[string]string{
		feed.MetaContentType: p.ContentType, feed.MetaReplyTo: p.ResponseTopic, feed.MetaCorrelationID: string(p.CorrelationData),
	} {
		if value != "" {
			m.Metadata[name] = value
		}
	}
	if p.MessageExpiry != nil {
		m.Metadata[HeaderMessageExpiry] = strconv.FormatUint(uint64(*p.MessageExpiry), 10)
	}
	for _, u := range p.UserProperties {
		header(m, []byte(u.Name), u.Value)
	}
	return m, nil
}
