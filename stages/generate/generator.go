package generate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Generator makes the readings of a simulated factory. It is not safe for
// concurrent use.
type Generator struct {
	random  *rand.Rand
	site    string
	devices []device
	tags    []string
	values  []float64 // by device, then tag
	next    int       // device
	made    int64

	base time.Time     // of the first reading; zero: not known yet
	step time.Duration // between readings; 0: the clock's time
}

type device struct {
	name, line string
	seq        uint64
}

// tagNames are the names of the first tags; further ones are numbered.
var tagNames = [...]string{"temperature", "pressure", "speed", "current", "vibration", "torque", "flow", "level"}

// NewGenerator returns a generator. Count and WindowSize do not concern it, and
// Rate only the times that it writes into readings: Next never waits.
func NewGenerator(c Config) (*Generator, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	base, err := c.start()
	if err != nil {
		return nil, fmt.Errorf("generate: start: %w", err)
	}
	g := &Generator{
		random:  rand.New(rand.NewPCG(uint64(c.Seed), 0x6b72616674)),
		site:    c.Site,
		devices: make([]device, c.Devices),
		tags:    make([]string, c.Tags),
		values:  make([]float64, c.Devices*c.Tags),
		base:    base,
	}
	switch {
	case c.Rate > 0:
		g.step = time.Second / time.Duration(c.Rate)
	case !base.IsZero():
		g.step = time.Millisecond
	}
	for i := range g.devices {
		g.devices[i].name = fmt.Sprintf("device%04d", i+1)
		g.devices[i].line = fmt.Sprintf("line%d", i%c.Lines+1)
	}
	for i := range g.tags {
		if i < len(tagNames) {
			g.tags[i] = tagNames[i]
		} else {
			g.tags[i] = fmt.Sprintf("tag%04d", i+1)
		}
	}
	for i := range g.values {
		g.values[i] = 20 + 60*g.random.Float64()
	}
	return g, nil
}

// Next returns the next reading. Its Seq counts the readings of the device from
// 1, without gaps; its value is a float. The strings are shared between readings.
func (g *Generator) Next() reading.Reading {
	d := &g.devices[g.next]
	tag := g.random.IntN(len(g.tags))
	value := &g.values[g.next*len(g.tags)+tag]
	// A walk that is drawn back to the middle of its range.
	*value += g.random.NormFloat64()/4 + (50-*value)/1000
	quality := "good"
	if g.random.IntN(100) == 0 {
		quality = "uncertain"
	}
	d.seq++
	r := reading.Reading{
		Site: g.site, Line: d.line, Device: d.name, Tag: g.tags[tag],
		Time:    g.time().UnixNano(),
		Value:   reading.OfFloat(math.Round(*value*10_000) / 10_000),
		Quality: quality,
		Seq:     d.seq,
	}
	if g.next++; g.next == len(g.devices) {
		g.next = 0
	}
	g.made++
	return r
}

// time returns the time of the reading that is being made.
func (g *Generator) time() time.Time {
	if g.step == 0 {
		return time.Now().UTC()
	}
	if g.base.IsZero() {
		g.base = time.Now().UTC()
	}
	return g.base.Add(time.Duration(g.made) * g.step)
}
