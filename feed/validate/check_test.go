package validate_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

func TestDefaultOptionsAreValid(t *testing.T) {
	o := validate.DefaultOptions()
	if err := o.Validate(); err != nil {
		t.Error(err)
	}
}

// TestOptionsAreRefused: each wrong value is named by its key, and all at once.
func TestOptionsAreRefused(t *testing.T) {
	o := validate.Options{
		Window: time.Millisecond, Lateness: -1,
		Rules: validate.Rules{
			Numbers: "exact", Strings: "", Time: -1, Late: -1, Tolerance: validate.Tolerance{Absolute: -1, Relative: 1},
			Ignore: []validate.Field{validate.FieldSeq, "value"}, Tolerate: []validate.Verdict{validate.Missing},
		},
		MaxCells: 0, MaxRecords: 0, MaxListed: -1,
	}
	err := o.Validate()
	if err == nil {
		t.Fatal("all of it is taken")
	}
	lines := "\n" + err.Error()
	for _, key := range []string{
		"window", "lateness", "rules.time", "rules.late", "rules.tolerance.absolute", "rules.tolerance.relative", "rules.numbers", "rules.strings",
		"rules.ignore[1]", "rules.tolerate[0]", "maxCells", "maxRecords", "maxListed",
	} {
		if !strings.Contains(lines, "\n"+key+": ") {
			t.Errorf("%s is not refused:\n%v", key, err)
		}
	}
	o = validate.DefaultOptions()
	o.Rules.Time = 2 * time.Hour
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "rules.time: a window of 1h0m0s is no multiple of 2h0m0s") {
		t.Errorf("error %v", err)
	}
}
