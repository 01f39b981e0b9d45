package simulate

import (
	"math"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// signal is a kind of tag.
type signal struct {
	name string
	// every says in how many samples of the device the tag is read once.
	every int
	value func(t *tag, now *moment, noise key) reading.Value
}

// tag is a signal of a device.
type tag struct {
	signal *signal
	name   string
	key    key
	base   float64 // from 0 to 1, the same at all times
}

// period is the number of samples after which the tags are read in the same
// order again. Each signal's every divides it.
const period = 10

// signals are those of the first tags; further ones are the same again, with
// numbers.
var signals = [...]signal{
	{"temperature", 1, temperature},
	{"pressure", 1, pressure},
	{"state", 5, machineState},
	{"parts", 5, parts},
	{"current", 1, current},
	{"speed", 1, speed},
	{"setpoint", 10, setpoint},
	{"alarm", 2, alarm},
	{"vibration", 1, vibration},
	{"recipe", 10, recipe},
	{"level", 2, level},
	{"energy", 5, energy},
	{"door", 5, door},
	{"position", 1, position},
	{"mode", 10, mode},
	{"humidity", 10, humidity},
}

// The children of a tag's key.
const (
	ofWalk uint64 = iota
	ofNoise
	ofSensor
	ofChange
)

// steps rounds to what a converter gives out.
func steps(v, step float64) reading.Value {
	// Not v*(1/step): a decimal such as 21.3 is to be the nearest float.
	return reading.OfFloat(math.Round(v/step) / math.Round(1/step))
}

// single rounds to the precision that a controller computes with.
func single(v float64) reading.Value { return reading.OfFloat(float64(float32(v))) }

// temperature follows the heat of the machine, and drifts, in °C.
func temperature(t *tag, now *moment, noise key) reading.Value {
	v := 18 + 6*t.base + (30+30*t.base)*now.heat + 1.5*t.key.with(ofWalk).walk(now.elapsed, 20*minute) + 0.08*noise.bell()
	return steps(v, 0.1)
}

// pressure rises and falls with each cycle, in bar.
func pressure(t *tag, now *moment, noise key) reading.Value {
	v := 2 + 4*t.base + 0.02*noise.bell()
	if now.state == running {
		v += 1.2 * bump(now.phase)
	}
	return steps(v, 0.01)
}

func machineState(_ *tag, now *moment, _ key) reading.Value {
	return reading.OfText(stateNames[now.state])
}

// parts counts the cycles of an order.
func parts(_ *tag, now *moment, _ key) reading.Value { return reading.OfInt(now.parts) }

// current is that of the drive, in A.
func current(t *tag, now *moment, noise key) reading.Value {
	v := 0.4 + 0.1*t.base + 0.01*noise.bell()
	if now.state == running {
		v += (8 + 12*t.base) * (0.6 + 0.6*bump(now.phase) + 0.02*noise.with(1).bell())
	}
	return single(v)
}

// speed is near the set point while the machine runs, in 1/min.
func speed(t *tag, now *moment, noise key) reading.Value {
	if now.state != running {
		return reading.OfFloat(0)
	}
	return steps(600+40*math.Round(20*t.base)+3*noise.bell(), 0.5)
}

// setpoint changes now and then, between round numbers.
func setpoint(t *tag, now *moment, _ key) reading.Value {
	k := t.key.with(ofChange).with(uint64(now.elapsed / (40 * minute)))
	return reading.OfFloat(float64(50 + 5*k.below(8)))
}

// alarm is on while the machine is down, and for a minute now and then.
func alarm(t *tag, now *moment, _ key) reading.Value {
	k := t.key.with(ofChange).with(uint64(now.elapsed / minute))
	return reading.OfBool(now.state == down || k.unit() < 0.004)
}

// vibration is mostly noise, in mm/s.
func vibration(t *tag, now *moment, noise key) reading.Value {
	v := 0.05 + 0.01*noise.bell()
	if now.state == running {
		v += (0.5 + t.base) * (1 + 0.4*noise.with(1).bell())
	}
	return single(math.Abs(v))
}

var recipes = [...]string{"R-1041 bracket", "R-1042 bracket, left", "R-2210 housing", "R-3007 cover", "R-3008 cover, black", "R-9000 trial", "R-4711 gear, 24 teeth"}

// recipe is the same for an order.
func recipe(t *tag, now *moment, _ key) reading.Value {
	return reading.OfText(recipes[t.key.with(ofChange).with(uint64(now.order)).below(int64(len(recipes)))])
}

// level falls until a tank is filled up, in %.
func level(t *tag, now *moment, noise key) reading.Value {
	length := int64((20 + 60*t.base) * float64(minute))
	return steps(95-80*float64(now.elapsed%length)/float64(length)+0.05*noise.bell(), 0.1)
}

// energy counts Wh, and begins again at 0 when the meter is full.
func energy(t *tag, now *moment, _ key) reading.Value {
	const full = 1_000_000
	seconds := float64(now.elapsed) / 1e9
	// The wave makes it faster and slower, never backwards.
	return reading.OfInt(int64(full*t.base+(1+3*t.base)*(seconds+50*math.Sin(seconds/60))) % full)
}

// door is open while the machine is down, and now and then.
func door(t *tag, now *moment, _ key) reading.Value {
	k := t.key.with(ofChange).with(uint64(now.elapsed / (30 * second)))
	return reading.OfBool(now.state == down || now.state == idle && k.unit() < 0.3)
}

// position is that of the ram, as a converter of 12 bits gives it out.
func position(t *tag, now *moment, noise key) reading.Value {
	v := 100 + 50*t.base + 3500*bump(now.phase) + 1.5*noise.bell()
	return reading.OfInt(int64(min(max(v, 0), 4095)))
}

// mode changes now and then: off, manual, automatic, service.
func mode(t *tag, now *moment, _ key) reading.Value {
	k := t.key.with(ofChange).with(uint64(now.elapsed / (30 * minute)))
	return reading.OfInt(max(2, k.below(16)) % 4)
}

// humidity drifts and nothing else, in %.
func humidity(t *tag, now *moment, _ key) reading.Value {
	return steps(30+20*t.base+3*t.key.with(ofWalk).walk(now.elapsed, 30*minute), 0.5)
}

// bump goes from 0 to 1 and back while phase goes from 0 to 1.
func bump(phase float64) float64 {
	s := 4 * phase * (1 - phase)
	return s * s
}
