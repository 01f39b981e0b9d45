// Package postgres stores readings in PostgreSQL or TimescaleDB, each once, and
// reads them back as they were.
//
// # Terms
//
// A message is a reading in the JSON form of package feed/reading; its topic is of
// no importance. A series is a tag of a device, a place a line of a site, and a
// point one value: the row that a reading becomes. What a reading is known by is
// its device, tag, time and sequence number. The schema has
//
//	series           id, device, tag
//	places           id, site, line
//	points           series, ts, ns, seq; place, quality; float, int, bool, text or raw
//	readings         a view of all three as people want to see it
//	partitions       a view of the partitions of points
//	retentions       how long each feed wants readings to be kept
//	probes           always empty
//	schema_versions  what this package has made
//
// Values are kept to the bit. ts holds the time to the microsecond and ns the
// nanoseconds below; seq is the sequence number minus 2^63, since bigint has a
// sign. A text with a zero character stands in raw, in UTF-8. The view shows the
// sequence number as it was.
//
//	SELECT ts, device, number, quality FROM telemetry.readings
//	WHERE tag = 'temperature' AND ts > now() - interval '1 hour' ORDER BY ts
//
// # Promises
//
// [Sink.PublishBatch] returns nil when all readings of the batch have been
// committed with synchronous_commit=on, whatever the server's own setting is, and
// when the synchronous standbys, if the server has any, have them: also those that
// an earlier try has stored. A server that runs with fsync=off is used, with a
// warning in the log.
//
// Delivery is at least once and the rows are there once: a reading that comes
// again changes nothing. Readings of a batch are sent in statements of at most
// 10,000 rows or about 8 MiB of texts, each a transaction; what a lost connection
// leaves open, the next try settles.
//
// A message fails permanently, and the others are stored, when
//
//   - it is no reading, or a name in it has a zero character,
//   - another reading with the same device, tag, time and sequence number is
//     stored already; the error shows it. Values are compared by their bits, and
//     site, line and quality count, too,
//   - its time is more than maxAge or retention ago, or more than maxAhead in the
//     future,
//   - the server refuses its row, or its names, for what is in it (SQLSTATE classes
//     22, 23 and 54, and P0001), which can only be by a constraint or a trigger that
//     somebody has added, or loses it without an error.
//
// Everything else passes, and the batch is sent again: a lost connection, a full
// disk, a server that is starting, stopping or read-only, a lock, missing rights.
//
// # Time
//
// points is partitioned by time: into a hypertable when the database has the
// extension timescaledb as the tables are made, and otherwise by range, a
// partition for each interval of the key partition, in UTC, weeks from Monday on.
// Partitions are made ahead of the time, and for late readings when they come. With
// retention, those whose end is older are dropped; this is done while readings are
// written, at most every 15 minutes, and put off when it would have to wait 2 s for
// somebody who reads. Of all feeds that write into a schema, the longest retention
// holds; a feed with a shorter one logs it.
//
// What time it is the feed's clock says and, at each connect and then every 15
// minutes, the server's. A time is out of bounds, and a partition too old, when it
// is so by both. That they differ by more than a minute is logged once.
//
// # Observation
//
// [Observation] is a side of a validation: it hands out all points of a range and
// their names as they were at one moment. A row that no sink writes, of a place
// that has no name or with two values, is handed out as unreadable; one of a series
// that has no name is not there, as in the view.
//
// # Configuration
//
//	sink:
//	  postgres:
//	    url: postgres://feed@db.example:5432/plant
//	    password: ${file:/run/secrets/postgres}
//	    retention: 2160h
//
// Without sslmode in its query the connection is one with sslmode=verify-full. The
// server is PostgreSQL 14 or newer, its database in UTF8. A pooler between must
// keep a session for each client. docs/postgres.md tells more: rights, TimescaleDB,
// figures.
package postgres
