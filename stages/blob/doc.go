// Package blob is a sink that writes batches as NDJSON or Parquet objects to
// Azure Blob Storage or to a directory, and an observation that reads readings
// back from there.
//
// # Terms
//
// An object is a blob in a container, or a file below a directory. It is
// written once, whole, and never changes. A batch is grouped by rendered path
// and each group becomes one object: one line per message, in the order of the
// batch. A group that is larger than maxObjectBytes before compression becomes
// several. A route with this sink asks for large batches (batch.maxDelay of a
// minute, say); each path in a batch costs a request, so a path should not
// take apart what need not be apart.
//
// # Names
//
// The path is a template. {date} (2006-01-02), {year}, {month}, {day}, {hour}
// and {minute} are of the message's own time (metadata "time", RFC 3339), or,
// when it has none that can be read, of when the batch was received; in UTC.
// {route}, {feed}, {topic} and {meta.NAME} are values: everything but letters,
// digits and - _ . ~ = + , @ is percent-encoded, as are a dot at either end and
// whatever separates the value from a next one in the same segment; "%empty"
// and "%missing" stand for values that are empty or not there, and a long one
// is cut and ends with "%~" and its hash. So no value leaves its segment, and
// different values make different paths. {hash} is 128 bits in hexadecimal of a
// SHA-256 over the hash of the stored bytes, the time when the batch was
// received, the ids of its messages and the number of the object among those of
// its path in the batch. So batches that say the same make different objects,
// as long as the time of receipt or an id tells them apart. A template without
// {hash} gets "-{hash}" appended. Then comes .ndjson, .ndjson.gz, .ndjson.zst or
// .parquet. The path "hive" stands for date={date}/hour={hour}/{route}-{hash}:
// partitions as Hive, Spark and DuckDB read them.
// The hash of the stored bytes alone is kept as metadata "sha256" of a blob.
//
// # Lines
//
// With envelope none a line is the payload, which must be JSON in UTF-8: one
// that is not fails permanently, by itself. Line ends between tokens are taken
// out. With envelope full a line is
//
//	{"topic":"…","time":"…","id":"…","metadata":{…},"payload":…}
//
// with "encoding":"base64" before a payload that is not JSON, and no "time"
// when the message has none.
//
// # Parquet
//
// With format parquet a message is a row, and its payload must be a JSON object:
// one that is not fails permanently, by itself. The columns, all optional:
//
//	site, line, device, tag, quality  string
//	ts          timestamp in UTC, microseconds; from a text by RFC 3339
//	value       double; value_text and value_bool take a string, true and false
//	seq         64-bit integer
//	extra       string: a JSON object with all other members, as they were written
//
// Nothing of a payload is lost: a member whose type does not fit its column, one
// that the column does not hold to the last digit (a time in nanoseconds or with
// another zone, a number of 17 digits and more), and the second of the same
// name stand in extra. null counts as not there. A row group has at most 100,000
// rows. compression is that of the columns. A file has no time of its own and
// no version of this program in it: equal messages make equal bytes. DuckDB reads
// all files of path hive as one table, with the columns date and hour:
//
//	SELECT device, count(*) FROM read_parquet('archive/**/*.parquet', hive_partitioning = true, hive_types_autocast = false) GROUP BY device;
//
// # Delivery
//
// At least once, and exactly once with exactlyOnce, see below. PublishBatch reports a message as done only when its object is
// durable: committed in the container, or its file, its name and the directories
// above it synced to disk. Encoding is deterministic, and a batch that is tried
// again keeps its time of receipt and its ids, so it has the same names and the
// same bytes. When a batch is tried again with fewer or more messages, its
// objects may get new names: one whose answer was lost, and which could not be
// looked at either, may then stand there twice.
//
// Every write is conditional: an object is made only where there is none. When
// the answer to a write is lost (a timeout, a reset, a 5xx) or says that the
// name is taken, the sink looks at what is stored: the same length and hash is
// a success, absence a transient failure, and other content an
// [ErrContentMismatch], which no retry passes. The Azure client's own retries
// are off: retrying is the route's.
//
// After a crash, or when a route gives its deliveries back, the source delivers
// the messages again, and they are received anew: even a batch that is cut as
// before is written as a new object. Its lines are duplicates, recognised by
// what the messages say of themselves (the message id, which envelope full
// writes, or a sequence number in the payload), not by the names of objects.
//
// A message fails permanently when it is no JSON, or when its name is one that
// the store refuses. Everything else (refused credentials, a missing container,
// throttling, a full disk, the network) is transient; it is reported for the
// messages of the objects concerned, and for those of the same batch that were
// not tried any more because of it. Credentials are read again after they were
// refused.
//
// # Exactly once
//
// With exactlyOnce each message of a stream (package amqp, declare type stream)
// stands in exactly one object, whatever ends the process. The path then makes
// directories; {hash} has no place in it. A part of a time that a message does
// not have is "undated": the messages alone make the name. The name in the
// directory is
//
//	STREAM-GENERATION-FIRST-LAST-NUMBER.ndjson.gz (or what the format makes it)
//
// with the offsets that the batch covers and the number of the object among
// those of its directory and batch. The ranges of a generation follow each
// other without a hole: where one is missing in all directories, objects were
// removed, or the stream had lost the messages before they were read, which the
// route counts (offsets_missing_total) and logs.
//
// How far the route has come is kept in .checkpoint/FEED-ROUTE.json:
//
//	{"format":2,
//	 "stream":"telemetry",
//	 "generation":1,
//	 "committed":{"offset":1999,"sha256":"…"},
//	 "from":2000,
//	 "intent":{"first":2000,"last":{"offset":2999,"sha256":"…"},"deliveries":1000,
//	           "objects":[{"name":"press7/2026-11-21/telemetry-1-2000-2999-1.ndjson.gz","holds":"…","sha256":["…"]}]},
//	 "writer":"press-gateway/4711/…"}
//
// committed is the last message of the last complete range, with the hash of
// its payload as it came; from is the first offset that the next name tells (a
// range that was filtered as a whole has no object, and is told by the next).
// A batch takes four steps: all of its objects are encoded; the intent to make
// them is recorded, with their names and hashes; they are made, each where
// there is none; the range is committed. Whoever goes on after a crash reads the
// range of the intent again, exactly that, and makes the same objects: of the same
// names and (holds) of the same messages. Where it encodes them to other bytes
// (another version, another envelope) it first adds
// their hashes to those that were recorded. An object that stands there already
// with one of these hashes is a success; any other is an [ErrContentMismatch]. When the
// configuration has changed so that other names come out, or the messages are
// divided otherwise among the objects, the feed ends and says so: start it once
// as it was. The transforms must make the same of the same
// message.
//
// The checkpoint is replaced only where it is the one that was read last (by
// its ETag; in a directory under a lock). A process that starts takes it over by
// writing its name into it: the next write of the older one fails, and its route
// ends. Both may run for that long, and make equal objects.
//
// A message that is no JSON goes to the quarantine before its range is
// committed; after a crash in between it goes there again.
//
// A generation is one life of a stream. When another message stands at the
// committed offset, when the stream is shorter than that, or when retention has
// dropped the beginning of a range that was being written, the stream is not the
// one that was stored, or can no longer be told from it: the route logs a
// warning and begins the next generation at the first offset that there is. Then
// messages that both have stand there twice, in objects of two generations.
// RabbitMQ confirms messages of a stream before they are synced to disk. So when
// a host loses power it may lose the end of a stream, whose offsets it gives to
// other messages: what had been stored of it stays stored, and what the stream
// still has is stored again in the next generation: at least once, and
// recognisable by the generation. A message whose payload equals the one that
// stood at the committed offset before is taken for it. A replica that lags
// behind is told from a stream that is shorter by how fast it grows, see
// package amqp.
//
// Removing the checkpoint makes the route begin anew, with generation 1, and
// find names taken: remove the objects with it, or choose another path. One path
// must not be written by two routes, and the names of feed and route together
// must be unique in a container, whatever the paths: two plants that write to the
// same one need different names for their feeds, or they take each other's
// checkpoint over.
//
// # Rights
//
// The sink needs read, create and write on blobs (sr=c, sp=rcw), and create on containers with azure.createContainer. [Reader] and [Observation] need
// read and list (sr=c, sp=rl).
//
// # Directories
//
// Files are written below .incoming in the directory, synced, and then linked
// to their names, so that a file that has a name is complete. With exactlyOnce
// use a file system whose locks (flock) hold for all that write; a process that
// is frozen while it replaces the checkpoint keeps the next one waiting. What a writer
// that died leaves in .incoming is removed after an hour, when a sink starts
// to write.
//
// # Configuration
//
//	sink:
//	  blob:
//	    url: https://plant.blob.core.windows.net/telemetry?${file:/run/secrets/sas}
//	    path: "{date}/{hour}/{meta.site}/{route}-{hash}"
//	    compression: zstd
//
// Compression is gzip by default, at its fastest: readings shrink to about a
// tenth for a tenth more CPU. zstd makes smaller objects.
//
// Without a SAS in the URL, azure.identity says how to obtain a token. Proxies
// come from HTTPS_PROXY, HTTP_PROXY and NO_PROXY; tls.caFile adds certificate
// authorities. A connectionString takes the place of the URL:
//
//	sink:
//	  blob:
//	    connectionString: ${file:/run/secrets/storage}
//	    container: telemetry
//
// # Observation
//
// An [Observation] reads what stands there, for a validation (package
// feed/validate): readings in the form of package feed/reading, to the bit.
// Nothing is remembered between two reads; what is handed out was fetched during the
// read, but for rows of Parquet whose statistics say that they are of other times.
//
// With layout feed the objects are those of the sink: NDJSON with any compression and
// envelope, and Parquet. What is no reading, an object of another kind, one
// whose name path does not make, and one that is damaged are told as unreadable.
// gzip and zstd are read to the end, so that their checksums count, and the bytes of
// a blob are compared with the hash that the sink has stored with it: of NDJSON
// when its last line has been read, of Parquet up to 32 MiB before its first row is, and
// of larger files when all else is: those are read as a whole if any of their rows is
// wanted, a row group at a time.
// Names that begin with a dot (checkpoints, files that are being written) do not count.
//
// path is that of the sink. Its date and hour keep objects of other times from
// being listed. A message is filed by its own time, or, when it has none, by the time of
// its receipt, which may be days after an outage: slack must be longer. What was filed farther
// away is not seen. Without path everything below prefix is read, each time.
//
// Readings are handed out in the order of their arrival, and so that what is out of
// order shows, only where names tell it: with exactlyOnce and a path that is the same
// for all messages. Elsewhere objects are read in parallel.
//
// Objects are fetched in pieces, each on condition that the object is the one that
// was listed. One that changes before any of it was read is read as it is then; one that
// changes later, or vanishes, is unreadable. A request that fails for a passing
// reason is made five times, and then the read fails.
//
// With layout parquet the objects are Parquet files of other programs, and columns say
// where the members of a reading are; with layout delta they are the data files
// of the current version of a Delta table, whose directory is prefix. Azure IoT
// Operations writes both. Values of type FLOAT, DOUBLE, INT, BOOLEAN and text are taken,
// DECIMAL is not; an INT is an integer and a DOUBLE a float, also where what was sent was
// the other. Times are INT64 with a unit, INT96, numbers of timeUnit, or texts by RFC
// 3339; a timestamp without a zone is taken for UTC. Of a Delta table, a device or a tag
// may be a partition; the number of rows and the size of a file must be those that the log
// tells. Checkpoints of one or several parts are read. A table that uses reader features is
// refused by the name of the feature (deletionVectors, v2Checkpoint, columnMapping with
// a mode, …), as are absolute paths. A file that was rewritten without a change of data
// does not tell when its readings arrived.
//
// What this was tried with: Parquet files that DuckDB has written, with columns of each
// of these types, and Delta logs that were written by hand after the public protocol
// of Delta tables, with checkpoints that DuckDB has written. No table that Azure IoT
// Operations, Spark or another writer of Delta has made was at hand: validate a range
// that you know before you rely on it.
//
//	observe:
//	  blob:
//	    url: https://plant.blob.core.windows.net/telemetry?${file:/run/secrets/sas}
//	    layout: delta
//	    prefix: tables/telemetry
//	    columns: {device: assetId, tag: dataPoint, ts: sourceTimestamp, value: [value], quality: "", seq: ""}
package blob
