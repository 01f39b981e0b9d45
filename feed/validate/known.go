package validate

import (
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
)

// Known is what a reading is known by in a comparison: readings that are known by
// the same are copies of each other, or contradict each other.
type Known struct {
	Device, Tag string
	Time        int64  // in nanoseconds since 1970 UTC, rounded down by the rules
	Seq         uint64 // 0 when it is not compared
}

// KnownBy returns the function that says what readings are known by in the job, and
// the step to whose multiples their times are rounded down. What the observation does
// not keep makes no difference: of readings that are one there each is expected, and
// any of them may be missing. It returns an error when the sides and options of the
// job do not go together.
func (j *Job) KnownBy() (known func(*reading.Reading) Known, step time.Duration, err error) {
	if _, _, err := makeRules(j.Options, j.Expect.Traits(), j.Observe.Traits()); err != nil {
		return nil, 0, err
	}
	rules, _, err := makeRules(j.Options, j.Expect.Traits(), Traits{})
	if err != nil {
		return nil, 0, err
	}
	return func(r *reading.Reading) Known {
		k := Known{Device: r.Device, Tag: r.Tag, Time: rules.time(r.Time)}
		if rules.seq {
			k.Seq = r.Seq
		}
		return k
	}, time.Duration(rules.step), nil
}

// Reading returns what a discrepancy says of the reading that it is about: not its
// value.
func (d *Discrepancy) Reading() reading.Reading {
	return reading.Reading{Device: d.Device, Tag: d.Tag, Time: d.Time.UnixNano(), Seq: d.Seq}
}
