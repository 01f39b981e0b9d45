package feed

import (
	"fmt"
	"maps"
)

// Account says what became of messages. InFlight is counted from those that
// are unsettled at the moment of the snapshot, never derived from the rest.
type Account struct {
	Received    uint64            `json:"received"`
	Delivered   uint64            `json:"delivered"`
	Filtered    map[string]uint64 `json:"filtered,omitempty"`    // by reason
	Quarantined map[string]uint64 `json:"quarantined,omitempty"` // by stage
	Returned    map[string]uint64 `json:"returned,omitempty"`    // by reason
	InFlight    uint64            `json:"inFlight"`
}

// Check returns an error unless
// received = delivered + filtered + quarantined + returned + in flight.
func (a Account) Check() error {
	if out := a.Delivered + Total(a.Filtered) + Total(a.Quarantined) + Total(a.Returned) + a.InFlight; out != a.Received {
		return fmt.Errorf("account does not balance: received %d, but delivered %d + filtered %d + quarantined %d + returned %d + in flight %d = %d",
			a.Received, a.Delivered, Total(a.Filtered), Total(a.Quarantined), Total(a.Returned), a.InFlight, out)
	}
	return nil
}

// Total sums counts by reason.
func Total(counts map[string]uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}

// clone returns a copy that shares nothing with a.
func (a Account) clone() Account {
	a.Filtered = maps.Clone(a.Filtered)
	a.Quarantined = maps.Clone(a.Quarantined)
	a.Returned = maps.Clone(a.Returned)
	return a
}
