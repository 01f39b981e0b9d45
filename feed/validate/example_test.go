package validate_test

import (
	"context"
	"fmt"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// One of two readings is altered on its way.
func ExampleRun() {
	six := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	var cloud, archive validatetest.Memory
	for i, value := range []float64{21.5, 22} {
		r := reading.Reading{Device: "press7", Tag: "temperature", Time: six.UnixNano() + int64(i), Value: reading.OfFloat(value), Quality: "good", Seq: uint64(i + 1)}
		cloud.Put(validate.Record{Reading: r})
		if i == 1 {
			r.Value = reading.OfInt(21)
		}
		archive.Put(validate.Record{Reading: r})
	}
	cloud.SetWatermark(six.Add(2 * time.Hour))

	result, err := validate.Run(context.Background(), validate.Job{
		Options: validate.DefaultOptions(),
		Expect:  &cloud, ExpectName: "cloud", Observe: &archive, ObserveName: "archive",
		From: six, To: six.Add(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Outcome, result.Reasons)
	for _, d := range result.Discrepancies {
		fmt.Println(d.Verdict, d.Device, d.Tag, d.Seq, d.Fields, d.Expected.Text, "became", d.Observed.Text)
	}
	// Output:
	// discrepant [1 reading is altered.]
	// altered press7 temperature 2 [value] 22.0 became 21
}
