package capacity

import (
	"fmt"

	"github.com/kraft-edge/datafeed/feed"
)

// Load is what flows through a feed.
type Load struct {
	// Rate is how many readings come in each second.
	Rate float64 `json:"readingsPerSecond"`
	// Bytes is the mean length of a reading's payload, as JSON.
	Bytes feed.Size `json:"bytesPerReading"`
	// BatchReadings is how many readings a device puts into a batch.
	BatchReadings int `json:"readingsPerBatch"`
}

// DefaultLoad returns a load without a rate: readings as simulated devices make
// them, in batches of theirs.
func DefaultLoad() Load { return Load{Bytes: 150, BatchReadings: 1000} }

// maxRate bounds what is still taken for a rate.
const maxRate = 1e9

// Validate reports what no feed has, as [feed.ConfigError]s with the name of a
// flag as key.
func (l Load) Validate() error {
	switch {
	case !(l.Rate > 0 && l.Rate <= maxRate):
		return &feed.ConfigError{Key: "--rate", Problem: fmt.Sprintf("%v is out of range", l.Rate), Remedy: "write how many readings come in each second, such as 1000"}
	case l.Bytes < 1 || l.Bytes > feed.GiB:
		return &feed.ConfigError{Key: "--bytes", Problem: fmt.Sprintf("%v is out of range", l.Bytes), Remedy: "write the mean length of a reading as JSON, such as 150B"}
	case l.BatchReadings < 1 || l.BatchReadings > 1_000_000:
		return &feed.ConfigError{Key: "--batch", Problem: fmt.Sprintf("%d is out of range", l.BatchReadings), Remedy: "write how many readings a batch has, 1 to 1000000"}
	}
	return nil
}

// flow is what one store gets: so many records a second, of so many bytes.
type flow struct{ rate, bytes float64 }

func (l Load) readings() flow { return flow{l.Rate, float64(l.Bytes)} }

// batches are those of all devices together.
func (l Load) batches() flow {
	return flow{l.Rate / float64(l.BatchReadings), batchEnvelope + batchedReading*float64(l.BatchReadings)}
}
