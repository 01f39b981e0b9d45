// Package quarantine keeps messages that can never be delivered in a SQLite
// file or a PostgreSQL database, so that they can be listed, shown, replayed,
// exported and removed.
//
// # Terms
//
// An item is a message as it came from its source (payload bytes, typed
// properties as a JSON document, the name of their format, where it came from)
// with the feed, the route and the stage that gave it up, the reason and the time. Each
// item is one row of the table "quarantine":
//
//	id, uuid, created_at, feed, route, stage, reason, origin, format, payload, properties, bytes, replayed, exported
//
// The ids of a feed's items increase in the order in which they were stored, and
// none is used again. Feeds that share a PostgreSQL table do not wait for each
// other: an item of one may become visible after an item of another that has a
// larger id, and who pages through the items of all feeds by [Query].After may
// miss it. The rows are written by watermill-sql's Publisher through a schema of
// this package, in one transaction with the check of the bounds. PostgreSQL
// cannot hold texts that are not UTF-8 or have zero bytes: there they stand as
// "base64:" and their base64.
//
// The table "quarantine_audit" has an entry for each replay, export and purge,
// and one a day for what retention has removed. An item's columns replayed and
// exported name the entry of the run that did it last, or are 0.
//
// # Promises
//
// [Store.Put] stores all of its items or none, and returns nil only after the
// database has written them through to the disk (SQLite's write-ahead log with
// synchronous=FULL, PostgreSQL with synchronous_commit=on): they survive a
// killed process and a power loss, as far as PostgreSQL's own settings (fsync)
// allow. When an error leaves it open whether they were stored, storing them
// again makes a second row; nothing is lost.
//
// The store is bounded by a number of messages and of bytes. When it is full,
// Put fails with [ErrFull] and the route pauses; nothing is dropped to make room
// unless [Retention] says so. [Store.Probe] succeeds as soon as what was
// refused would fit. What retention removes, replayed or not, is logged and
// stands in the audit, in the same transaction.
//
// A SQLite file has one feed at a time: a second one gets [ErrInUse]. The lock
// is a flock on a file beside the database, so the path must be on a local
// disk. Files are readable by their owner only: payloads may be confidential. A
// PostgreSQL table may be shared by feeds and by the replicas of each. A feed looks
// at its own items only, told apart by the feed's name: bounds, retention and
// replays hold for a feed's replicas together and touch no other feed. After a
// feed was renamed its items stay under the old name.
//
// A feed that opens tables of the version before this one, whose items do not
// tell their feed, carries them over as its own.
//
// Any number of processes may read meanwhile with [OpenReadOnly], and one at a
// time may mark and remove a feed's items with [OpenEditor].
//
// # Replay
//
// A [Source] hands items out to a route and marks what the route settles. A
// marked item is not chosen again by a [Query] for [StateUnreplayed]. The mark
// comes after the message is durable: a process that dies between the two has
// sent messages that are sent again by the next replay, at most those of one
// batch. Nothing is marked that is not durable.
//
// In PostgreSQL an editor may lose its lock between reading and marking. If
// another one takes it meanwhile, sends the same items, marks them and ends, the
// first then has the lock again, marks what it has sent as well, and goes on with
// items that it had read before: those are sent twice, too, at most what a Source
// has read but not settled.
//
// # Configuration
//
//	quarantine:
//	  path: /var/lib/feed/quarantine.db
//	  maxBytes: 1GiB
//	  maxMessages: 1000000
//	  retention: {maxAge: 2160h, maxBytes: 900MiB}
//
// or, in the place of path,
//
//	postgres: {url: "${DATABASE_URL}", table: quarantine}
//
// Without sslmode in the URL's query the connection is one with
// sslmode=verify-full.
package quarantine
