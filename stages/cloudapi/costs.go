package cloudapi

import (
	"sync/atomic"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// costs counts what was asked of the API.
type costs struct{ requests, retries, bytes, readings atomic.Int64 }

func (c *costs) sum() validate.Costs {
	return validate.Costs{Requests: c.requests.Load(), Retries: c.retries.Load(), Bytes: c.bytes.Load(), Readings: c.readings.Load()}
}
