package capacity

import "github.com/kraft-edge/datafeed/feed"

// What a record takes, in bytes. Each constant is somewhat above what a test of
// this package measures on the real servers; the tests fail when it is not, or
// far from it (go test -v -run 'Messages|Rows|Items|Batches' ./internal/capacity).
const (
	// Beside the payload of a reading, with the properties, the id and the routing
	// key that unbatch gives it. RabbitMQ 3.10.8.
	quorumOverhead  = 470
	streamOverhead  = 240
	classicOverhead = 350
	// Mosquitto 2.0.11, in its database.
	mosquittoOverhead = 230
	// A row and its part of the index, PostgreSQL 15 without TimescaleDB's
	// compression.
	postgresRow = 150
	// A reading in a quarantine beside its payload: what counts against maxBytes,
	// and what the SQLite file takes.
	quarantineCounted  = 540
	quarantineOverhead = 650
	// Of a batch: its header and properties, and each of its readings as compressed
	// JSON of values whose digits are noise (docs/batch-format.md).
	batchEnvelope  = 200
	batchedReading = 21
	// A batch in the cache of unbatch, as its documentation says.
	cachedBatch = 150
	// A message in a ledger, as docs/ledger.md says: 10 to 30.
	ledgerRecord = 30
	// A reading in the store of the sink validator (BenchmarkPublish there).
	validatorReading = 12
)

// What servers do with disks unless they are told otherwise.
const (
	// fileSystem is the part of a volume that holds no files: ext4 reserves 5 %.
	fileSystem = 0.05
	// diskFreeLimit is disk_free_limit of RabbitMQ.
	diskFreeLimit feed.Size = 50_000_000
	// walSize is raft.wal_max_size_bytes of RabbitMQ: what its quorum queues have
	// not written to their segments yet.
	walSize = 512 * feed.MiB
	// streamSegment is the stream-max-segment-size-bytes of RabbitMQ.
	streamSegment feed.Size = 500_000_000
	// postgresWAL is max_wal_size of PostgreSQL.
	postgresWAL = feed.GiB
)
