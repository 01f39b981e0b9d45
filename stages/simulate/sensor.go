package simulate

import (
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// The qualities of readings.
const (
	good      = "good"
	uncertain = "uncertain"
	bad       = "bad"
)

// sensorSpell is how long a sensor is as it is: in about one of a hundred spells
// it is out for a while, in one of a hundred it is uncertain.
const sensorSpell = 5 * minute

// read returns what the sensor of a tag says.
func (t *tag) read(now *moment) (v reading.Value, quality string) {
	spell := t.key.with(ofSensor).with(uint64(now.elapsed / sensorSpell))
	quality = good
	switch chance := spell.unit(); {
	case chance < 0.01:
		from := spell.with(0).below(sensorSpell * 3 / 4)
		if since := now.elapsed%sensorSpell - from; since >= 0 && since < 5*second+spell.with(1).below(60*second) {
			return reading.Value{}, bad
		}
	case chance < 0.02:
		quality = uncertain
	}
	noise := t.key.with(ofNoise).with(now.scan)
	v = t.signal.value(t, now, noise)
	if v.Kind() == reading.Float && noise.with(2).below(50_000) == 0 {
		return reading.OfFloat(math.NaN()), bad
	}
	return v, quality
}
