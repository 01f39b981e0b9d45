// Package unbatch unpacks batches of readings: of one message that holds a frame
// of package batch it makes one message for each reading.
//
// # Terms
//
// A device sends batches: readings of its tags, compressed, with a number that
// counts them, the sequence. docs/batch-format.md says what each byte is.
//
// A message that comes out holds a reading as JSON, see package reading. Its
// UUID is
//
//	<device>/<sequence>/<checksum>/<index>
//
// with the first 16 hexadecimal digits of the batch's checksum and the reading's place
// in the batch, from 0: the same whenever the batch comes again, and others when
// the device, reset or replaced, counts from the beginning. Its topic is the routing
// key telemetry.<site>.<line>.<device>.<tag>, of at most 255 bytes, see
// reading.Reading.AppendRoutingKey. Its metadata is the reading's time and the content
// type application/json, and nothing else: what the batch's message had in its
// metadata ends here. The messages of a batch share their memory, and leave in the
// order of the batch.
//
// # What is quarantined
//
// A batch is unpacked as a whole or not at all. One that is not whole goes to the
// quarantine as it came, with a reason:
//
//	format      it is no frame, or one of a version that is not known
//	truncated   bytes are missing
//	checksum    the bytes are not those that were sent
//	codec       nobody knows how to decode the body
//	body        the codec cannot decode it
//	reading     one of the readings is not valid
//	count       not as many readings as the header says
//	device      a reading of another device than the header says
//	times       not the times that the header says
//	limits      it costs more than limits allow, as a decompression bomb does
//	conflict    another batch has the same device and sequence, see below
//
// # Repetitions and conflicts
//
// With a cache, a batch is marked once all of its messages have ended and it
// counts as delivered. One that comes again with the same checksum is unpacked
// again, since what repeats it wants to see it acknowledged: its messages have the
// same ids, and it is counted. One with the same device and sequence but another
// checksum contradicts what was delivered, or what is in flight, and is quarantined.
// A batch counts as in flight for 15 minutes at most: it may have been given back to
// its source, which transforms are not told, and have ended elsewhere.
//
// What a device sends whose sequence begins again is quarantined, too, until the marks
// of its former batches are older than maxAge: choose that no longer than batches may
// come again. For a device that was replaced stop the feed, remove the file, start it
// and replay what was quarantined. Without a cache all of it passes.
//
// The cache holds no messages. A crash may take its last marks, and maxBytes and
// maxAge its oldest: a batch that comes again is then taken for new and yields
// the same ids as before, and of a contradiction nobody knows. That is what
// happens without a cache, and loses nothing. Marks that cannot be written, because
// the disk is full, are kept in memory, and no further batch is taken until they
// can: the route holds its source back and tries again. A batch of
// which a reading was quarantined downstream, or all of which were filtered, is not
// marked.
//
// The file is not locked: routes, and feeds, may share it, and then know what the
// other has delivered. Conflicts with what another has in flight are not seen. Tests
// of the configuration (feed test) have a cache of their own in memory.
//
// # What is counted
//
// As events of the stage, beside the messages:
//
//	batch_corrupt     batches that are not whole, or cost too much
//	batch_repeated    batches that were delivered before
//	batch_conflict    batches that contradict another
//	batch_held_back   tries at a batch while the cache fails
//
// # Configuration
//
//	unbatch:
//	  cache:                               # none without it
//	    path: ${STATE:-/var/lib/feed}/batches.db
//	    maxBytes: 5GiB                     # about 150 bytes for each batch
//	    maxAge: 720h                       # 0: as long as there is room
//	  limits:                              # of one batch
//	    maxBytes: 64MiB                    # unpacked, and of all payloads and topics
//	    maxRatio: 500                      # times its length, beyond 1 MiB
//	    maxReadings: 100000                # 0.7 KB of memory each, 1 KB while it is unpacked
//	    maxWindow: 8MiB                    # of zstd
//	    maxText: 1MiB                      # of a value
package unbatch
