package mqtt

import (
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

// ReasonError is a refusal that the broker gave a reason code for.
type ReasonError struct {
	// Packet is the kind of packet that bore it: "CONNACK", "PUBACK", "SUBACK",
	// "AUTH" or "DISCONNECT".
	Packet string
	// Code is the reason code of MQTT 5.0 §2.4.
	Code byte
	// Text is the broker's Reason String, or "". It is foreign text; Error
	// quotes it bounded.
	Text string
}

// Error names the code, and quotes the broker's own words if there are any.
func (e *ReasonError) Error() string {
	name := reasons[e.Code].name
	switch {
	case name == "":
		name = "reason unknown to MQTT 5.0"
	case e.Code == 0 && e.Packet == "DISCONNECT":
		name = "normal disconnection"
	}
	s := fmt.Sprintf("%s (%s 0x%02X)", name, e.Packet, e.Code)
	if e.Text != "" {
		s += ": " + clip(e.Text)
	}
	return s
}

// reason is what a code means for a message, by the packet that bears it.
type reason struct {
	name string
	// permanent: in a PUBACK (§3.4.2.1), the message will be refused again
	// however often it is sent. All other codes of a PUBACK are transient.
	permanent bool
	// fatal: in a DISCONNECT (§3.14.2.1), the broker objects to what it was
	// sent, so that the oldest unacknowledged message may be the cause. All
	// other codes concern the broker or the session.
	fatal bool
}

// reasons is indexed by the reason code: OASIS MQTT Version 5.0, §2.4, and the
// tables of §3.2.2.2 (CONNACK), §3.4.2.1 (PUBACK) and §3.14.2.1 (DISCONNECT).
var reasons = [256]reason{
	0x00: {name: "success"},
	0x04: {name: "disconnect with will message"},
	0x10: {name: "no matching subscribers"},
	0x80: {name: "unspecified error"},
	0x81: {name: "malformed packet", fatal: true},
	0x82: {name: "protocol error", fatal: true},
	// What a server means by 0x83 is its own affair; Mosquitto and others use
	// it for conditions that pass.
	0x83: {name: "implementation specific error"},
	0x84: {name: "unsupported protocol version"},
	0x85: {name: "client identifier not valid"},
	0x86: {name: "bad user name or password"},
	// In a PUBACK the topic is forbidden to this client. In a DISCONNECT it is
	// the connection that lost its right, not a message.
	0x87: {name: "not authorized", permanent: true},
	0x88: {name: "server unavailable"},
	0x89: {name: "server busy"},
	0x8A: {name: "banned"},
	0x8B: {name: "server shutting down"},
	0x8C: {name: "bad authentication method"},
	0x8D: {name: "keep alive timeout"},
	0x8E: {name: "session taken over"},
	0x8F: {name: "topic filter invalid"},
	0x90: {name: "topic name invalid", permanent: true, fatal: true},
	// The ids are ours and new in each connection, so a clash is the broker's
	// confusion and not the message's.
	0x91: {name: "packet identifier in use"},
	0x93: {name: "receive maximum exceeded"},
	0x94: {name: "topic alias invalid", fatal: true},
	// Not in the table of PUBACK, but Mosquitto answers with it to a payload
	// over message_size_limit.
	0x95: {name: "packet too large", permanent: true, fatal: true},
	0x96: {name: "message rate too high"},
	0x97: {name: "quota exceeded"},
	0x98: {name: "administrative action"},
	0x99: {name: "payload format invalid", permanent: true, fatal: true},
	0x9A: {name: "retain not supported", fatal: true},
	0x9B: {name: "QoS not supported", fatal: true},
	0x9C: {name: "use another server"},
	0x9D: {name: "server moved"},
	0x9E: {name: "shared subscriptions not supported"},
	0x9F: {name: "connection rate exceeded"},
	0xA0: {name: "maximum connect time"},
	0xA1: {name: "subscription identifiers not supported"},
	0xA2: {name: "wildcard subscriptions not supported"},
}

// refused reports whether a reason code says no: MQTT 5.0 §2.4.
func refused(code byte) bool { return code >= 0x80 }

// refusal is the error of a message whose PUBACK said no.
func refusal(topic string, code byte, text string) error {
	err := fmt.Errorf("publish to %s: %w", clip(topic), &ReasonError{Packet: "PUBACK", Code: code, Text: text})
	if reasons[code].permanent {
		return feed.Permanent(err)
	}
	return err
}
