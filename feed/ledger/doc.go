// Package ledger keeps, for people, what became of each message: when a route
// received it and from where, what it made of it, where that went, and when. It
// answers "where is this reading?" with the way through every hop.
//
// A ledger is no evidence: it holds what a feed believes it has delivered. What
// stands in a destination is found out by reading it (package validate). It is
// bounded, it may lose its last second, and it never holds up a message for
// long.
//
// # Terms
//
// A record is one message that has ended: it was delivered, filtered,
// quarantined or given back. It tells the ids of the message and of the delivery
// that it was made of, their topics, the size and a digest (CRC-32C) of the
// payload, where the message stands when the sink says more than its topic
// (blobs, with lines), and, when the payload of the message or of the delivery
// is a reading, of which device, tag, time and sequence.
//
// # Files
//
// A ledger is a directory of segments, NNNNNNNNNNNNNNNNNNNN.ledger, to which
// blocks are appended: up to 128 KiB of records of one route, compressed with
// S2, with a checksum. A full segment is followed by the next; beyond
// maxBytes the oldest are removed. A directory belongs to one process at a time.
// A segment may end in the middle of a block, after a crash: what is whole is
// read, and a process that starts begins a new segment.
//
// # Promises
//
// Records are handed to the operating system a second after their message has
// ended, or earlier; a killed process loses that second, and a power failure what
// the system had not written (nothing waits for the disk). One goroutine writes.
// When it does not keep up, routes wait for it, for a second at most; then, and
// while the disk is full or fails, records are lost: counted, and logged when it
// begins and when it ends. Messages go on.
package ledger
