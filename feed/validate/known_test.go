package validate_test

import (
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// TestKnownBy: readings are told apart by what the expectation and the rules tell of
// them, also where the observation takes them for one.
func TestKnownBy(t *testing.T) {
	coarse := validate.Traits{TimeStep: time.Millisecond, Lost: []string{"seq"}}
	for _, tt := range []struct {
		name            string
		expect, observe validate.Traits
		rules           time.Duration
		ignore          []validate.Field
		step            time.Duration
		one             bool
	}{
		{name: "exact", step: 1},
		{name: "a coarse observation", observe: coarse, step: 1},
		{name: "a coarse expectation", expect: coarse, step: time.Millisecond, one: true},
		{name: "coarse rules", rules: time.Millisecond, ignore: []validate.Field{validate.FieldSeq}, step: time.Millisecond, one: true},
	} {
		j := validate.Job{Options: validate.DefaultOptions(), Expect: &validatetest.Memory{Has: tt.expect}, Observe: &validatetest.Memory{Has: tt.observe}}
		j.Rules.Time, j.Rules.Ignore = tt.rules, tt.ignore
		known, step, err := j.KnownBy()
		if err != nil || step != tt.step {
			t.Errorf("%s: step %s, error %v", tt.name, step, err)
			continue
		}
		a := reading.Reading{Device: "d", Tag: "t", Time: start.UnixNano(), Seq: 1}
		b := reading.Reading{Device: "d", Tag: "t", Time: start.UnixNano() + 1, Seq: 2}
		if one := known(&a) == known(&b); one != tt.one {
			t.Errorf("%s: the same is %v", tt.name, one)
		}
	}
	j := validate.Job{Options: validate.DefaultOptions(), Expect: &validatetest.Memory{}, Observe: &validatetest.Memory{Has: validate.Traits{Lost: []string{"colour"}}}}
	if _, _, err := j.KnownBy(); err == nil {
		t.Error("an observation that loses what no reading has")
	}
}
