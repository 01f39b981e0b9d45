package simulate

import (
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// device is a machine with its controller.
type device struct {
	site, line, name string
	topic            string
	key              key
	machine          machine
	tags             []tag
	codec            batch.Codec

	period     int64 // between two samples, in ns
	phase      int64 // of the first sample, in ns
	resolution int64 // of its clock, in ns
	offset     int64 // of its clock, in ns
	drift      int64 // of its clock, in ns for each second

	first, size int64 // readings of the first batch and of each other one
}

// deviceNames say what a device is.
var deviceNames = [...]string{"press", "mill", "robot", "oven", "filler", "packer", "lathe", "welder"}

// share says how much faster than others a device samples: from 0.8 to 1.25.
func share(k key) float64 { return k.with(4).between(0.8, 1.25) }

func newDevice(c *Config, number int, k key, scans *scans) device {
	site, line := number%len(c.Sites), number/len(c.Sites)%c.Lines
	d := device{
		site: c.Sites[site], line: fmt.Sprintf("line%d", line+1),
		name: fmt.Sprintf("%s%04d", deviceNames[number%len(deviceNames)], number+1),
		key:  k, machine: newMachine(k), tags: make([]tag, c.Tags), codec: c.Codec.of(number),
	}
	d.topic = "batches." + d.site + "." + d.line + "." + d.name
	for i := range d.tags {
		own := k.with(5).with(uint64(i))
		d.tags[i] = tag{signal: &signals[i%len(signals)], name: scans.names[i], key: own, base: own.unit()}
	}
	d.offset = int64(k.with(6).between(-1, 1) * float64(c.Chaos.Skew))
	d.drift = int64(k.with(7).between(-1, 1) * float64(c.Chaos.Drift) * float64(second))
	return d
}

// sample has the device sample at a period, and close its batches.
func (d *device) sample(period float64, b Batch, scans *scans) {
	d.period = max(int64(period), 20)
	for _, d.resolution = range []int64{1e6, 1e3, 1} {
		if d.period >= 20*d.resolution {
			break
		}
	}
	d.phase = d.key.with(8).below(d.period)
	d.size = int64(b.Readings)
	if inTime := float64(b.Every) / float64(d.period) * scans.mean(); inTime < float64(d.size) {
		d.size = max(1, int64(inTime))
	}
	d.first = 1 + d.key.with(9).below(d.size)
}

// extent returns the indexes of the readings of a batch.
func (d *device) extent(sequence uint64) (from, to int64) {
	if sequence == 1 {
		return 0, d.first
	}
	from = d.first + int64(sequence-2)*d.size
	return from, from + d.size
}

// elapsedAt returns when a sample is taken, in ns since the start. Now and then
// it is late.
func (d *device) elapsedAt(scan int64) int64 {
	at := d.phase + scan*d.period
	if k := d.key.with(10).with(uint64(scan)); k&3 == 0 {
		at += k.below(d.period/8 + 1)
	}
	return at
}

// clock returns what the device's clock shows, in ns since the start.
func (d *device) clock(elapsed int64) int64 {
	return elapsed + d.offset + elapsed/second*d.drift + elapsed%second*d.drift/second
}

// read appends readings by their indexes.
func (d *device) read(dst []reading.Reading, start time.Time, scans *scans, from, to int64) []reading.Reading {
	begin := start.UnixNano()
	scan, slot := scans.find(from)
	var now moment
	var sp spell
	var at int64
	fresh := true
	for index := from; index < to; slot++ {
		for slot == len(scans.order) || int64(scans.order[slot].scan) != scan%period {
			if slot == len(scans.order) {
				slot = 0
			}
			scan++
			fresh = true
		}
		if fresh {
			elapsed := d.elapsedAt(scan)
			if sp.stop == 0 || elapsed/d.machine.spell != sp.number {
				sp = d.machine.at(elapsed)
			}
			now = d.machine.moment(&sp, elapsed, uint64(scan))
			at = begin + d.clock(elapsed)
			at -= at % d.resolution
			fresh = false
		}
		t := &d.tags[scans.order[slot].tag]
		v, quality := t.read(&now)
		index++
		dst = append(dst, reading.Reading{
			Site: d.site, Line: d.line, Device: d.name, Tag: t.name, Time: at, Value: v, Quality: quality, Seq: uint64(index),
		})
	}
	return dst
}
