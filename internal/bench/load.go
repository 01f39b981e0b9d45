package main

import (
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/generate"
)

// load is what one run carries.
type load struct {
	messages     int
	payloadBytes int // least bytes of a payload
	devices      int // that take turns
	lines        int // that the devices are spread over; 0: as the generator does
	perBatch     int // readings of a message; 0: each is a message
}

// on returns the load as a path has it.
func (l load) on(p path) load {
	l.perBatch = p.perBatch
	return l
}

// toWarmUp is less of the same.
func (l load) toWarmUp() load {
	unit := max(l.perBatch, 1)
	l.messages = max(1, l.messages/unit/4) * unit
	return l
}

// readings returns what makes the load's messages, the same ones for each run.
// stamp, unless nil, may change a reading before it is written.
func (l load) readings(stamp func(*reading.Reading)) (next func() (witness.Reading, bool), err error) {
	c := generate.DefaultConfig()
	c.PayloadBytes, c.Devices, c.Start = l.payloadBytes, l.devices, "2026-01-01T00:00:00Z"
	if l.lines > 0 {
		c.Lines = l.lines
	}
	readings, err := generate.NewGenerator(c)
	if err != nil {
		return nil, err
	}
	made := 0
	return func() (witness.Reading, bool) {
		if made == l.messages {
			return witness.Reading{}, false
		}
		made++
		r := readings.Next()
		if stamp != nil {
			stamp(&r)
		}
		return witness.Reading{
			Device: r.Device, Seq: r.Seq, RoutingKey: string(r.AppendRoutingKey(nil)),
			Payload: generate.AppendJSON(make([]byte, 0, l.payloadBytes+64), &r, l.payloadBytes),
		}, true
	}, nil
}
