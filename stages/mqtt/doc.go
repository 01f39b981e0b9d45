// Package mqtt has the sink "mqtt", which publishes to an MQTT 5 broker.
//
// # Terms
//
// A message becomes a PUBLISH packet: its [feed.MetaTopic] the topic name, its
// payload the payload, [feed.MetaContentType] the Content Type,
// [feed.MetaCorrelationID] the Correlation Data, [feed.MetaReplyTo] the
// Response Topic. Its UUID goes along as user property "message-id",
// [feed.MetaTime] as user property "time", and every header under its own name;
// userProperties chooses among all of these. Where a header is named
// "message-id" too, the UUID is sent and the header is not. User properties
// have no order.
//
// # Delivery
//
// With QoS 1 "done" means that the broker has acknowledged the message with a
// reason code of success. What the broker keeps across its own death is a
// matter of its configuration: Mosquitto acknowledges before it writes to disk.
// With QoS 0 done means that the bytes were given to the socket: messages may
// be lost, and [Sink.Durable] says so.
//
// Publishes are pipelined in the order of the batch, as many at once as
// maxInflight and the broker's Receive Maximum allow. A batch is done when its
// last acknowledgement is there.
//
// The session starts clean and ends with the connection. One that outlives the
// connection helps subscribers; a publisher gains nothing from it, since the
// route sends again whatever was not acknowledged. A message may therefore
// arrive twice after a lost connection, at most as many as were in flight.
//
// # Failures
//
// A PUBACK that refuses is a failure of its message alone. The reason codes
// 0x87 (not authorized), 0x90 (topic name invalid), 0x95 (packet too large) and
// 0x99 (payload format invalid) are [feed.Permanent], all others transient.
// Permanent before anything is sent are: a topic that is missing, has a
// wildcard or is longer than 65,535 bytes; a text that is too long, no UTF-8,
// or has control characters, for which brokers close the connection; and a
// packet larger than maxPacketSize or the broker's Maximum Packet Size.
//
// When the connection ends, everything unacknowledged has failed transiently.
// If the broker ended it with a DISCONNECT that objects to what it was sent
// (0x81, 0x82, 0x90, 0x94, 0x95, 0x99, 0x9A, 0x9B), the oldest unacknowledged
// message has failed with [feed.ConnectionFatal]. Anything that no broker may
// send to a publisher ends the connection too.
//
// When a connection was lost with publishes in flight, the next one begins with
// a single one and has one more for each acknowledgement, up to the full number.
// A broker that closes the connection after each publish it refuses, as Mosquitto
// does with max_queued_messages 0, may lose its refusal so, and acknowledgements
// before it; that of a publish sent alone arrives.
//
// A connection is opened by the first call that needs one: one attempt for
// each call, with credentials and certificates read anew. A broker that grants
// no QoS 1 is refused when qos is 1, as nothing sent to it would be durable.
// A broker that falls silent while it owes an answer is given ackTimeout.
//
// # Configuration
//
//	sink:
//	  mqtt:
//	    url: mqtts://broker.plant.example:8883
//	    username: feed
//	    password: ${file:/run/secrets/mqtt}
//	    tls: {caFile: /etc/feed/ca.pem}
//
// The keys are the fields of [Config]; only url is required. Two processes
// must not share a clientId: the broker would close the older connection, with
// 0x8E, each time the other one connects.
package mqtt
