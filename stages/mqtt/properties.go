package mqtt

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// Format names the encoding of [Properties] in a feed.Original.
const Format = "mqtt-5"

// Properties are everything but the payload of a message that came from a
// broker; as JSON they describe it in the quarantine. What is absent in the
// message is left out.
type Properties struct {
	Topic           string         `json:"topic"`
	QoS             int            `json:"qos"`
	Retain          bool           `json:"retain,omitempty"`
	PayloadFormat   *byte          `json:"payloadFormat,omitempty"`
	MessageExpiry   *uint32        `json:"messageExpiry,omitempty"` // seconds that were left
	ContentType     string         `json:"contentType,omitempty"`
	ResponseTopic   string         `json:"responseTopic,omitempty"`
	CorrelationData []byte         `json:"correlationData,omitempty"` // base64
	UserProperties  []UserProperty `json:"userProperties,omitempty"`  // in the order of the packet
	// Raw stands in the place of properties that are malformed, as they were
	// on the wire (base64).
	Raw []byte `json:"raw,omitempty"`
}

// UserProperty is a name with a value. A name may occur more than once.
type UserProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// MQTT 5.0 §2.2.2.2, beside those that the encoder writes.
const (
	propPayloadFormat  = 0x01
	propSubscriptionID = 0x0B
)

// eachProperty calls visit for each property of a PUBLISH, with its value as it
// is on the wire; name is that of a user property. It fails on what is
// malformed, after what stands before it was visited.
func eachProperty(p []byte, visit func(id byte, name, value []byte)) error {
	for len(p) > 0 {
		id := p[0]
		p = p[1:]
		var name, value []byte
		var ok bool
		switch id {
		case propPayloadFormat:
			value, p, ok = cutBytes(p, 1)
		case propMessageExpiry:
			value, p, ok = cutBytes(p, 4)
		case propContentType, propResponseTopic:
			if value, p, ok = cutString(p); ok {
				ok = utf8.Valid(value)
			}
		case propCorrelationData:
			value, p, ok = cutString(p)
		case propSubscriptionID:
			_, p, ok = cutVarint(p)
		case propUser:
			if name, p, ok = cutString(p); ok {
				value, p, ok = cutString(p)
				ok = ok && utf8.Valid(name) && utf8.Valid(value)
			}
		default:
			return fmt.Errorf("property 0x%02X does not belong into a PUBLISH", id)
		}
		if !ok {
			return fmt.Errorf("property 0x%02X is malformed", id)
		}
		visit(id, name, value)
	}
	return nil
}

func cutBytes(p []byte, n int) (b, rest []byte, ok bool) {
	if len(p) < n {
		return nil, nil, false
	}
	return p[:n], p[n:], true
}

// fill makes m the message of d. The payload is the delivery's own. Of
// malformed properties nothing is taken over.
func fill(m *message.Message, d *delivery) {
	m.Payload = d.payload
	m.Metadata = make(message.Metadata, 2)
	m.Metadata[feed.MetaTopic] = d.topic
	if len(d.properties) == 0 {
		return
	}
	err := eachProperty(d.properties, func(id byte, name, value []byte) {
		switch id {
		case propContentType:
			m.Metadata[feed.MetaContentType] = string(value)
		case propResponseTopic:
			m.Metadata[feed.MetaReplyTo] = string(value)
		case propCorrelationData:
			m.Metadata[feed.MetaCorrelationID] = string(value)
		case propMessageExpiry:
			m.Metadata[HeaderMessageExpiry] = strconv.FormatUint(uint64(binary.BigEndian.Uint32(value)), 10)
		case propUser:
			header(m, name, string(value))
		}
	})
	if err != nil {
		m.UUID = ""
		m.Metadata = message.Metadata{feed.MetaTopic: d.topic}
	}
}

// HeaderMessageExpiry is the header that tells how many seconds were left of
// the message's expiry when the broker sent it.
const HeaderMessageExpiry = "message-expiry"

// header takes a user property over. The last one of a name counts.
func header(m *message.Message, name []byte, value string) {
	switch {
	case string(name) == propMessageID: // a comparison copies nothing
		m.UUID = value
	case string(name) == feed.MetaTime:
		if t, err := time.Parse(time.RFC3339Nano, value); err == nil {
			m.Metadata[feed.MetaTime] = t.UTC().Format(time.RFC3339Nano)
		}
	default:
		if name := string(name); !feed.ReservedMetadata(name) {
			m.Metadata[name] = value
		}
	}
}

// describe returns the properties of d as JSON.
func (d *delivery) describe() ([]byte, error) {
	p := Properties{Topic: d.topic, Retain: d.retain}
	if d.id != 0 {
		p.QoS = 1
	}
	full := p
	err := eachProperty(d.properties, func(id byte, name, value []byte) {
		switch id {
		case propPayloadFormat:
			full.PayloadFormat = &value[0]
		case propMessageExpiry:
			seconds := binary.BigEndian.Uint32(value)
			full.MessageExpiry = &seconds
		case propContentType:
			full.ContentType = string(value)
		case propResponseTopic:
			full.ResponseTopic = string(value)
		case propCorrelationData:
			full.CorrelationData = value
		case propUser:
			full.UserProperties = append(full.UserProperties, UserProperty{string(name), string(value)})
		}
	})
	if err != nil {
		full = p
		full.Raw = d.properties
	}
	doc, err := json.Marshal(full)
	if err != nil {
		return nil, fmt.Errorf("encode properties: %w", err)
	}
	return doc, nil
}
