package simulate

import (
	"math"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// Simulator makes the batches of the devices of a factory. It is safe for
// concurrent use: a batch follows from its device and sequence alone.
type Simulator struct {
	config  Config
	start   time.Time
	scans   *scans
	devices []device
}

// NewSimulator returns a simulator. Count, WindowSize and most of Chaos do not
// concern it: all batches are there, and as they should be. It fails with what
// [Config.Validate] reports.
func NewSimulator(c Config) (*Simulator, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	start, err := c.start()
	if err != nil {
		return nil, err
	}
	if start.IsZero() {
		start = time.Now().UTC().Truncate(time.Millisecond)
	}
	s := &Simulator{config: c, start: start, scans: newScans(c.Tags), devices: make([]device, c.Devices)}
	root := key(0).with(uint64(c.Seed))
	shares := 0.0
	for i := range s.devices {
		k := root.with(uint64(i))
		s.devices[i] = newDevice(&s.config, i, k, s.scans)
		shares += share(k)
	}
	for i := range s.devices {
		d := &s.devices[i]
		period := float64(c.Period) / share(d.key)
		if c.Rate > 0 {
			period = s.scans.mean() * shares / float64(c.Rate) * float64(time.Second) / share(d.key)
		} else if ms := float64(time.Millisecond); period > 20*ms {
			period = math.Round(period/ms) * ms // as controllers have them
		}
		d.sample(period, c.Batch, s.scans)
	}
	return s, nil
}

// Start returns the time at which the devices begin.
func (s *Simulator) Start() time.Time { return s.start }

// Devices returns how many devices there are.
func (s *Simulator) Devices() int { return len(s.devices) }

// Device returns the name of a device, by its number from 0.
func (s *Simulator) Device(number int) string { return s.devices[number].name }

// Readings appends the readings of a batch: of a device by its number, and by
// its sequence from 1.
func (s *Simulator) Readings(dst []reading.Reading, device int, sequence uint64) []reading.Reading {
	d := &s.devices[device]
	from, to := d.extent(sequence)
	return d.read(dst, s.start, s.scans, from, to)
}

// Frame appends a batch as its device sends it.
func (s *Simulator) Frame(dst []byte, device int, sequence uint64) ([]byte, error) {
	d := &s.devices[device]
	return batch.Append(dst, d.codec, d.name, sequence, s.Readings(nil, device, sequence))
}

// closes returns when a batch is complete, in ns since the start.
func (s *Simulator) closes(device int, sequence uint64) int64 {
	d := &s.devices[device]
	_, to := d.extent(sequence)
	scan, _ := s.scans.find(to - 1)
	return d.elapsedAt(scan)
}
