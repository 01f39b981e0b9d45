package main

import (
	"fmt"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// manySenders is how many devices send batches at most: each sends some.
const manySenders = 25

// carried returns how many messages the load is.
func (l load) carried() int { return l.messages / max(l.perBatch, 1) }

// batches returns what makes the load's messages when each holds many readings
// of one device, the same ones for each run. Readings are added to a tally.
func (l load) batches(readings *witness.Tally) (next func() (witness.Reading, bool), err error) {
	if l.messages%l.perBatch != 0 {
		return nil, fmt.Errorf("%d readings do not fill batches of %d", l.messages, l.perBatch)
	}
	c := generate.DefaultConfig()
	c.Devices, c.Start = min(manySenders, l.carried()), "2026-01-01T00:00:00Z"
	g, err := generate.NewGenerator(c)
	if err != nil {
		return nil, err
	}
	codec := batch.JSONGzip()
	gathered := map[string][]reading.Reading{}
	sequences := map[string]uint64{}
	sent := 0
	return func() (witness.Reading, bool) {
		if sent == l.carried() {
			return witness.Reading{}, false
		}
		for {
			r := g.Next()
			gathered[r.Device] = append(gathered[r.Device], r)
			rs := gathered[r.Device]
			if len(rs) < l.perBatch {
				continue
			}
			gathered[r.Device] = rs[:0]
			sequences[r.Device]++
			frame, err := batch.Append(nil, codec, r.Device, sequences[r.Device], rs)
			if err != nil {
				panic(err) // generated readings are valid
			}
			for _, r := range rs {
				readings.Add(r.Device, r.Seq)
			}
			sent++
			return witness.Reading{Device: r.Device, Seq: sequences[r.Device], RoutingKey: "batches." + r.Device, Payload: frame}, true
		}
	}, nil
}
