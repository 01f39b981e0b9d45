package mqtt

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/kraft-edge/datafeed/feed"
)

// MQTT 5.0 §2.2.2.2.
const (
	propMessageExpiry   = 0x02
	propContentType     = 0x03
	propResponseTopic   = 0x08
	propCorrelationData = 0x09
	propUser            = 0x26
)

const publishType = 0x30

// propMessageID is the user property that carries a message's UUID.
const propMessageID = "message-id"

// encoder writes messages as PUBLISH packets. One goroutine uses it.
type encoder struct {
	qos        byte
	retain     bool
	expiry     uint32   // seconds; 0 is none
	names      []string // user properties to send, if chosen
	chosen     bool
	maxPacket  int
	maxFrom    string // who set maxPacket, for people
	properties []byte // scratch, reused
}

func newEncoder(c Config) encoder {
	e := encoder{
		qos:       byte(c.QoS),
		retain:    c.Retain,
		expiry:    uint32(c.MessageExpiry / time.Second),
		names:     c.UserProperties,
		chosen:    c.UserProperties != nil,
		maxPacket: maxPacket,
		maxFrom:   "MQTT",
	}
	if c.MaxPacketSize > 0 {
		e.limit(int(c.MaxPacketSize), "the configuration")
	}
	return e
}

// limit lowers the size of the largest packet.
func (e *encoder) limit(n int, from string) {
	if n < e.maxPacket {
		e.maxPacket, e.maxFrom = n, from
	}
}

// header appends to dst the PUBLISH packet of m up to its payload, which must
// follow it on the wire. An error means that m can never be sent; dst is then
// returned as it was. It retains nothing of m.
func (e *encoder) header(dst []byte, topic string, m *message.Message, id uint16) ([]byte, error) {
	if err := checkTopic(topic); err != nil {
		return dst, err
	}
	props, err := e.appendProperties(e.properties[:0], m)
	if err != nil {
		return dst, err
	}
	if e.properties = props; cap(props) > keepBuffer {
		e.properties = nil
	}

	first := byte(publishType) | e.qos<<1
	if e.retain {
		first |= 1
	}
	remaining := 2 + len(topic) + varintLen(len(props)) + len(props) + len(m.Payload)
	if e.qos > 0 {
		remaining += 2
	}
	if size := 1 + varintLen(remaining) + remaining; remaining > maxRemaining || size > e.maxPacket {
		return dst, fmt.Errorf("the packet has %d bytes and %s allows %d", size, e.maxFrom, e.maxPacket)
	}
	dst = append(dst, first)
	dst = appendVarint(dst, remaining)
	dst = appendString(dst, topic)
	if e.qos > 0 {
		dst = binary.BigEndian.AppendUint16(dst, id)
	}
	dst = appendVarint(dst, len(props))
	return append(dst, props...), nil
}

func (e *encoder) appendProperties(dst []byte, m *message.Message) ([]byte, error) {
	if e.expiry > 0 {
		dst = binary.BigEndian.AppendUint32(append(dst, propMessageExpiry), e.expiry)
	}
	if e.chosen {
		for _, name := range e.names {
			value, ok := m.Metadata[name]
			if name == propMessageID && m.UUID != "" {
				value, ok = m.UUID, true
			}
			if !ok || name == feed.MetaTime && value == "" {
				continue
			}
			var err error
			if dst, err = appendUser(dst, name, value); err != nil {
				return dst, err
			}
		}
	} else if m.UUID != "" {
		var err error
		if dst, err = appendUser(dst, propMessageID, m.UUID); err != nil {
			return dst, err
		}
	}
	for key, value := range m.Metadata {
		var err error
		switch key {
		case feed.MetaTopic:
		case feed.MetaContentType:
			dst, err = appendText(dst, propContentType, key, value)
		case feed.MetaReplyTo:
			if strings.ContainsAny(value, "+#") {
				return dst, fmt.Errorf("%s is %s: a response topic has no wildcards", key, clip(value))
			}
			dst, err = appendText(dst, propResponseTopic, key, value)
		case feed.MetaCorrelationID:
			if len(value) > math.MaxUint16 {
				return dst, fmt.Errorf("%s is %d bytes long and MQTT takes 65535", key, len(value))
			}
			if value != "" {
				dst = appendString(append(dst, propCorrelationData), value)
			}
		case feed.MetaTime:
			if !e.chosen && value != "" {
				dst, err = appendUser(dst, key, value)
			}
		default:
			// The UUID goes before a header of the same name: sent twice, the
			// name would be ambiguous.
			if e.chosen || key == propMessageID && m.UUID != "" || feed.ReservedMetadata(key) {
				continue
			}
			dst, err = appendUser(dst, key, value)
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func checkTopic(topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("the message has no topic")
	case len(topic) > math.MaxUint16:
		return fmt.Errorf("topic %s is %d bytes long and MQTT takes 65535", clip(topic), len(topic))
	case !plainTopic(topic):
		if why := textProblem(topic); why != "" {
			return fmt.Errorf("topic %s %s", clip(topic), why)
		}
		return fmt.Errorf("topic %s has a wildcard", clip(topic))
	}
	return nil
}

// appendText appends a string property, or nothing for an empty value.
func appendText(dst []byte, id byte, key, value string) ([]byte, error) {
	if value == "" {
		return dst, nil
	}
	if len(value) > math.MaxUint16 || !plainText(value) {
		return dst, fmt.Errorf("%s %s %s", key, clip(value), textProblem(value))
	}
	return appendString(append(dst, id), value), nil
}

func appendUser(dst []byte, key, value string) ([]byte, error) {
	if len(key) > math.MaxUint16 || !plainText(key) {
		return dst, fmt.Errorf("the name of header %s %s", clip(key), textProblem(key))
	}
	if len(value) > math.MaxUint16 || !plainText(value) {
		return dst, fmt.Errorf("the value %s of header %s %s", clip(value), clip(key), textProblem(value))
	}
	return appendString(appendString(append(dst, propUser), key), value), nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

// appendVarint appends a Variable Byte Integer: MQTT 5.0 §1.5.5.
func appendVarint(dst []byte, n int) []byte {
	for n >= 0x80 {
		dst = append(dst, byte(n)|0x80)
		n >>= 7
	}
	return append(dst, byte(n))
}

func varintLen(n int) int {
	switch {
	case n < 1<<7:
		return 1
	case n < 1<<14:
		return 2
	case n < 1<<21:
		return 3
	}
	return 4
}
