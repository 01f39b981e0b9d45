package report

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// TestPageOfARun writes what a real validation found: one reading is missing, one is
// altered, and the last hour waits for the watermark.
func TestPageOfARun(t *testing.T) {
	expected, observed := &validatetest.Memory{Name: "truth"}, &validatetest.Memory{Name: "archive"}
	expected.SetWatermark(sampleStart.Add(5*time.Hour + 30*time.Minute))
	for i := range 360 {
		r := reading.Reading{
			Site: "plant1", Line: "line2", Device: fmt.Sprintf("press%d", i%3), Tag: "temperature", Seq: uint64(i + 1),
			Time: sampleStart.Add(time.Duration(i) * time.Minute).UnixNano(), Value: reading.OfFloat(20 + float64(i)/10), Quality: "good",
		}
		expected.Put(validate.Record{Reading: r, Place: validate.Place{Object: "page", Position: int64(i + 1)}})
		switch i {
		case 100:
			continue
		case 200:
			r.Value = reading.OfFloat(99)
		}
		observed.Put(validate.Record{Reading: r, Place: validate.Place{Object: "object", Position: int64(i + 1)}})
	}
	r, err := validate.Run(t.Context(), validate.Job{
		Options: validate.DefaultOptions(), Expect: expected, Observe: observed, ExpectName: "memory", ObserveName: "memory",
		From: sampleStart, To: sampleStart.Add(6 * time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	page := htmlOf(t, r)
	keep(t, "run", page)
	tagsOf(t, page)
	for _, want := range []string{
		"1 reading is missing, 1 altered</h1>", "60 wait for the watermark.", "A column is 1 h,", "<b><bdi><mark>40.0</mark></bdi></b>", "<b><bdi><mark>99.0</mark></bdi></b>", "page:101", "object:201",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "do not trust this report") {
		t.Error("the sums are wrong")
	}
	fits(t, textOf(t, r, Style{Width: width}), width)
	if t.Failed() {
		t.Log(textOf(t, r, Style{}))
	}
}
