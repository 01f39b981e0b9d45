package main

import (
	"fmt"

	"github.com/kraft-edge/datafeed/internal/witness"
)

// published is what one run has to carry.
type published struct {
	messages int
	tally    *witness.Tally
}

// compare fails unless what arrived is what was published, once each. Blobs
// have an order within, not among each other; MQTT's order is the business of
// other tests.
func (p *published) compare(arrived *witness.Tally) error {
	v := witness.Compare(p.tally, arrived)
	if !v.Complete() || v.Duplicates > 0 {
		return fmt.Errorf("not everything arrived once: %+v", v)
	}
	return nil
}
