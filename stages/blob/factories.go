package blob

import "github.com/kraft-edge/datafeed/feed"

// Factories returns the factory of the sink, named "blob".
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("blob", "Writes batches as NDJSON or Parquet objects to Azure Blob Storage or a directory.", DefaultConfig, NewSink),
	}
}
