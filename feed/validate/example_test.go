package validate_test

import (
	"context"
	"fmt"
	"sync/atomic"
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

// fileLines is an observation of one's own: lines of JSON in memory, as a file or a
// device may hold them. It is read as a whole by each query.
type fileLines struct {
	name  string
	lines []string
	read  atomic.Int64
}

func (f *fileLines) String() string { return f.name }

func (f *fileLines) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var page validate.Page
	var parser reading.Parser
	for i, line := range f.lines {
		at := validate.Place{Object: f.name, Position: int64(i + 1)}
		r, err := parser.Parse([]byte(line))
		if err != nil { // nothing can be called missing while it may stand there
			page.Unreadable = append(page.Unreadable, validate.Unreadable{Place: at, Err: err})
			continue
		}
		meant := (q.Device == "" || q.Device == r.Device) && (q.Tag == "" || q.Tag == r.Tag)
		if meant && !r.At().Before(q.From) && r.At().Before(q.To) {
			page.Records = append(page.Records, validate.Record{Reading: r, Place: at})
		}
	}
	f.read.Add(int64(len(page.Records)))
	return take(page)
}

func (f *fileLines) Traits() validate.Traits { return validate.Traits{Identity: f.name} }
func (f *fileLines) Costs() validate.Costs   { return validate.Costs{Readings: f.read.Load()} }
func (f *fileLines) Close() error            { return nil }

// An observation of one's own is compared with an expectation. Its test would run
// validatetest.TestSide.
func ExampleSide() {
	six := time.Date(2026, 11, 21, 6, 0, 0, 0, time.UTC)
	device := &fileLines{name: "press7.ndjson"}
	var cloud validatetest.Memory
	for i := range 3 {
		r := reading.Reading{Device: "press7", Tag: "temperature", Time: six.UnixNano() + int64(i), Value: reading.OfFloat(21.5), Quality: "good", Seq: uint64(i + 1)}
		cloud.Put(validate.Record{Reading: r})
		if i != 1 { // the second one was lost
			device.lines = append(device.lines, string(r.AppendJSON(nil)))
		}
	}
	cloud.SetWatermark(six.Add(2 * time.Hour))

	result, err := validate.Run(context.Background(), validate.Job{
		Options: validate.DefaultOptions(),
		Expect:  &cloud, ExpectName: "cloud", Observe: device, ObserveName: "device",
		From: six, To: six.Add(time.Hour),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Outcome, result.Reasons)
	for _, d := range result.Discrepancies {
		fmt.Println(d.Verdict, d.Device, d.Tag, d.Seq)
	}
	// Output:
	// discrepant [1 expected reading is missing.]
	// missing press7 temperature 2
}
