package blob

import (
	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Factories returns the factories of the sink and of the observation, both named
// "blob".
func Factories() []feed.Factory {
	return []feed.Factory{
		feed.SinkFactory("blob", "Writes batches as NDJSON or Parquet objects to Azure Blob Storage or a directory.", DefaultConfig, NewSink),
		validate.ObservationFactory("blob", "Reads what stands in blobs or files: the blob sink's, Parquet of other programs, Delta tables.", DefaultObservationConfig, NewObservation),
	}
}
