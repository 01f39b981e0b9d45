// Package quarantine keeps messages that can never be delivered in a SQLite
// file, so that they can be listed, shown and replayed.
//
// # Terms
//
// An item is a message as it came from its source (payload bytes, typed
// properties as a JSON document, the name of their format, where it came from)
// with the route and the stage that gave it up, the reason and the time. Each
// item is one row of the table "quarantine":
//
//	id, uuid, created_at, route, stage, reason, origin, format, payload, properties, bytes
//
// Ids increase in the order in which items were stored and are never used
// again. The rows are written by watermill-sql's Publisher through a schema of
// this package, in one transaction with the check of the bounds.
//
// # Promises
//
// [Store.Put] stores all of its items or none, and returns nil only after the
// operating system has been told to write them through to the disk (SQLite's
// write-ahead log with synchronous=FULL): they survive a killed process and a
// power loss. When an error leaves it open whether they were stored, storing
// them again makes a second row; nothing is lost.
//
// The store is bounded by a number of messages and of bytes. When it is full,
// Put fails with [ErrFull] and the route pauses; the store drops nothing to
// make room. [Store.Probe] succeeds as soon as what was refused would fit.
//
// One process at a time has the store open for writing; a second one gets
// [ErrInUse]. Any number may read meanwhile with [OpenReadOnly]. The lock is a
// flock on a file beside the database, so the path must be on a local disk.
// Files are readable by their owner only: payloads may be confidential.
//
// # Configuration
//
//	quarantine:
//	  path: /var/lib/feed/quarantine.db
//	  maxBytes: 1GiB
//	  maxMessages: 1000000
package quarantine
