// Package embedded runs an MQTT 5 broker inside the process, for a demo or a
// test on a machine that has none.
//
// It stands in for Azure IoT Operations MQ, and grants what that does: QoS 0 and
// 1, retained messages, persistent sessions, wildcards and shared subscriptions,
// but neither QoS 2 nor topic aliases nor subscription identifiers: a client
// that uses them is disconnected. What it does not have is what makes that one
// worth running: several nodes, storage, TLS, authorisation.
//
// It listens on the loopback interface only, lets everybody in, or only who
// shows one of the [Tokens] that it is given, and keeps nothing when it is
// closed. Unlike the defaults of the broker that it is made of, it drops no
// QoS 1 message for a connected subscriber that is slow: the publishers wait, as
// their publishes are not read and not acknowledged until the subscriber has
// caught up. A client is never held up by a backlog of its own; two clients that
// each publish much to the other should use a broker that queues instead. The
// Receive Maximum of a subscriber is kept for one publisher; several at once may
// exceed it by one message each.
//
// For a client that is away it keeps 20,000 messages of its session, in memory.
// A publish beyond that is refused with the reason code 0x97 (quota exceeded),
// or, before MQTT 5, by the end of the connection. Of those that share a
// subscription, one that has room gets it.
package embedded
