// Package batch packs readings of one device into one binary message, and
// unpacks them.
//
// # Frame
//
// A frame is self-contained: a magic number, a version, a header that says what
// is in it ([Envelope]), a SHA-256 over all of it, and a body that a [Codec] has
// made. So it passes AMQP, MQTT, HTTP and files alike. docs/batch-format.md says
// what each byte is. No vendor's format is public: this one is the project's own,
// and a codec can be replaced or added, see [Codecs].
//
// # Codecs
//
//	json+gzip   a JSON object for each reading and line, in gzip
//	json+zstd   the same in zstd
//	columnar    columns of equal things, each encoded for what it is, in zstd
//
// Each of them gives back what it got, to the bit, in the same order.
//
// # What is not trusted
//
// A frame may come from anybody. [Parse] and [Batch.Decode] take no more memory
// than [Limits] allow, whatever the frame says, and their errors are [*Corrupt]:
// no retry mends them.
package batch
