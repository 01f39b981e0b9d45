package batch_test

import (
	"math"
	"math/rand/v2"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// signal makes what devices of a kind may send: n readings of a press.
type signal struct {
	name string
	make func(n int) []reading.Reading
}

// signals are alike each time.
var signals = []signal{
	{"decimals", decimals},
	{"doubles", doubles},
	{"mixed", mixed},
}

var tagNames = [...]string{"temperature", "pressure", "speed", "current", "vibration", "torque", "flow", "level"}

func readings(n, tags int, fill func(r *reading.Reading, scan, tag int, random *rand.Rand)) []reading.Reading {
	random := rand.New(rand.NewPCG(1, 2))
	rs := make([]reading.Reading, n)
	for i := range rs {
		scan, tag := i/tags, i%tags
		rs[i] = reading.Reading{Site: "plant1", Line: "line2", Device: "device0007", Tag: tagNames[tag], Quality: "good", Seq: 123_456 + uint64(i)}
		fill(&rs[i], scan, tag, random)
	}
	return rs
}

const start = 1_795_230_245_000_000_000

// decimals: eight tags are read at one moment, ten times a second and some
// milliseconds late; they walk, with two digits behind the point.
func decimals(n int) []reading.Reading {
	walks := make([]float64, len(tagNames))
	late := int64(0)
	return readings(n, len(tagNames), func(r *reading.Reading, scan, tag int, random *rand.Rand) {
		if tag == 0 {
			late = random.Int64N(4)
		}
		walks[tag] += random.NormFloat64() / 5
		r.Time = start + int64(scan)*100e6 + late*1e6
		r.Value = reading.OfFloat(math.Round((50+walks[tag])*100) / 100)
	})
}

// doubles: five tags, each at its own nanosecond, as a computation has them: all
// 52 bits of the fraction are noise below a slow wave.
func doubles(n int) []reading.Reading {
	return readings(n, 5, func(r *reading.Reading, scan, tag int, random *rand.Rand) {
		r.Time = start + int64(scan)*20e6 + int64(tag)*3e6 + random.Int64N(50_000)
		r.Value = reading.OfFloat(20*float64(tag+1) + 5*math.Sin(float64(scan)/40) + random.NormFloat64()/10)
	})
}

// mixed: what a controller has: single-precision floats, a counter, switches, a
// state as a text; a sensor fails now and then.
func mixed(n int) []reading.Reading {
	states := [...]string{"idle", "running", "fault: guard open"}
	state, count := 0, int64(0)
	return readings(n, len(tagNames), func(r *reading.Reading, scan, tag int, random *rand.Rand) {
		r.Time = start + int64(scan)*1e9 + int64(tag)*1e6
		switch tag {
		case 0:
			count += random.Int64N(3)
			r.Value = reading.OfInt(count)
		case 1:
			r.Value = reading.OfBool(random.IntN(50) == 0)
		case 2:
			if random.IntN(20) == 0 {
				state = random.IntN(len(states))
			}
			r.Value = reading.OfText(states[state])
		default:
			r.Value = reading.OfFloat(float64(float32(40 + 10*math.Sin(float64(scan+tag)/30) + random.NormFloat64()/50)))
			if random.IntN(100) == 0 {
				r.Value, r.Quality = reading.Value{}, "bad"
			}
		}
	})
}
