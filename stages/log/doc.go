// Package log is a sink for trying things: it prints messages, or logs them.
//
// # Terms
//
// The target is the standard output, the standard error, or the feed's logger.
// On the first two, each message is a line of one of two forms:
//
//	payload  the payload as it is; one that is not a single line of printable
//	         UTF-8 is written as a quoted Go string, so that foreign bytes
//	         cannot forge lines or steer the terminal
//	json     {"topic":…,"metadata":{…},"payload":…}, where the payload is a
//	         string, or payloadBase64 stands for it when it is not UTF-8
//
// In the log each message is a record "message" of level info with the
// attributes topic, metadata, bytes and payload, of which the first 4 KiB are
// shown.
//
// # Delivery
//
// The sink is not durable: PublishBatch returns nil when the lines were handed
// to the operating system, and what becomes of them there, nobody knows. A
// route to it must therefore set allowLoss. When writing fails the outcome of
// the whole batch is unknown.
//
// # Configuration
//
//	log:
//	  to: stdout        # or stderr, log
//	  format: payload   # or json; of no effect with to: log
package log
