// Package mqtt has the sink "mqtt", which publishes to an MQTT 5 broker, and the
// source "mqtt", which consumes from one.
//
// # Terms
//
// A message is a PUBLISH packet: its [feed.MetaTopic] the topic name, its
// payload the payload, [feed.MetaContentType] the Content Type,
// [feed.MetaCorrelationID] the Correlation Data, [feed.MetaReplyTo] the
// Response Topic. Its UUID goes along as user property "message-id",
// [feed.MetaTime] as user property "time", and every header under its own name.
//
// The sink's userProperties chooses among all of these. Where a header is named
// "message-id" too, the UUID is sent and the header is not. User properties
// have no order.
//
// The source takes of several user properties with one name the last, of "time"
// only what is RFC 3339, and those with the name of another key of the metadata
// not at all. The header "message-expiry" ([HeaderMessageExpiry]) says how many
// seconds were left of the message's expiry.
//
// # Delivery by the sink
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
// # Delivery by the source
//
// The source subscribes with QoS 1 in a session that the broker keeps under the
// clientId for sessionExpiry: what is published while the feed is away waits
// there, as far as the broker's limits for queued messages allow. A delivery is
// acknowledged (PUBACK) after it was settled, and in the order of the publishes,
// as MQTT demands: one that is not settled keeps back those behind it, which
// count in receiveMaximum meanwhile. PUBACKs may be written up to 100 ms later.
//
// Unsettled deliveries are given back by ending the connection: the broker
// sends them again, in order, when the session is resumed. Deliveries that were
// settled behind an unsettled one are then acknowledged in their turn and not
// handed out again, but they do come again, at most receiveMaximum of them, for
// another process, and when it was the broker that closed the connection: another
// client may have had the session in between.
//
// What was settled comes again, too, when its PUBACK had not been read by the
// broker in the end. A broker that keeps to receiveMaximum bounds this, as it
// sends nothing more before it has read PUBACKs; Mosquitto 2.0.11 does not keep
// to it in a session that has a backlog.
//
// Some messages have no such guarantee, and none of this package's doing:
//
//   - Those that were published with QoS 0 arrive with QoS 0. They are handed
//     out, and lost when the connection ends before they were delivered, which
//     is logged and counted as qos0_lost; in the account of the route those that
//     it had are among the returned. Behind an unsettled delivery they count in
//     receiveMaximum, too: beyond it the source stops reading.
//   - Those that are larger than maxPacketSize are dropped by the broker.
//   - When the broker has lost the session, what it held is gone. A broker that
//     keeps sessions in memory loses them when it restarts. Where the source has
//     had the session before, the loss is logged as an error and counted as
//     session_lost. At the first connect of a process only the operator knows
//     whether there should be one: that there was none is logged as information
//     and counted as session_new, which stays 0 after the first start ever.
//   - A filter that is taken out of topics stays in the session: its messages
//     come until the session expires, or is left for another clientId.
//
// QoS 2 subscriptions are not offered: the handshake ends at this source, so
// that a restart between it and the sink would still send a message twice. What
// is published with QoS 2 arrives with QoS 1. Topic aliases are not taken.
//
// The clientId must stay the same across restarts: what waits in the session of
// another name is not found. On Kubernetes a host name does so in a StatefulSet;
// the pods of a Deployment get new ones.
//
// No two processes may have one clientId: the broker ends the older connection
// each time the other one connects, and everything unsettled is sent again. The
// source logs this as an error, counts it (session_taken_over, or
// connection_closed_soon where the broker does not say why it closes), and comes
// back later each time. To share the
// messages among processes, give each a clientId of its own and all of them the
// same sharedGroup; order is then that of what each of them gets, and the
// messages in the session of a member that has gone wait for it to come back.
//
// # Originals
//
// A delivery is described (for the quarantine) in the format "mqtt-5": the JSON
// form of [Properties], with the topic, QoS and retain flag, and the properties
// under their names in MQTT 5.0 as far as there are any: payloadFormat,
// messageExpiry (seconds), contentType, responseTopic, correlationData (base64)
// and userProperties, a list of {name, value} in the order of the packet. In the
// place of malformed properties there is raw, their bytes (base64).
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
// send ends the connection too.
//
// When a connection was lost with publishes in flight, the next one begins with
// a single one and has one more for each acknowledgement, up to the full number.
// A broker that closes the connection after each publish it refuses, as Mosquitto
// does with max_queued_messages 0, may lose its refusal so, and acknowledgements
// before it; that of a publish sent alone arrives.
//
// The sink opens a connection in the first call that needs one: one attempt for
// each call. A broker that grants no QoS 1 is refused when qos is 1, as nothing
// sent to it would be durable. A broker that falls silent while it owes an answer
// is given ackTimeout, or pingTimeout.
//
// A filter that the broker refuses to the source for good (0x87, 0x8F, 0x9E,
// 0xA2), or grants with QoS 0 only, is a [feed.ConfigError] that names it, unless
// it was granted before.
//
// # Authentication
//
// User name and password, the client's certificate and a service account token
// are read anew at each connect. The last is the way into the broker of Azure
// IoT Operations: with auth.method k8s-sat the token goes into the CONNECT packet
// by MQTT 5 enhanced authentication, method K8S-SAT. The kubelet replaces the
// file some time before the token expires; the new one is sent over the live
// connection (AUTH, 0x19), which goes on without a break when the broker takes
// it. The pod needs a projected volume with a token for the audience
// aio-internal, and the authorities of the ConfigMap
// azure-iot-operations-aio-ca-trust-bundle.
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
//	source:
//	  mqtt:
//	    url: mqtts://aio-broker:18883
//	    clientId: feed-${HOSTNAME}
//	    topics: [plant/+/temperature, plant/+/pressure]
//	    auth: {method: k8s-sat}
//	    tls: {caFile: /var/run/certs/ca.crt}
//
// The keys are the fields of [Config] and [SourceConfig]. Only url is required
// of a sink; url, clientId and topics of a source.
package mqtt
