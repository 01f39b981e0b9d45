package validate_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// endless makes readings while it is read, and holds none: those of 100 devices with
// 10 tags each, in the order of time, as many a day as it is said.
type endless struct {
	validatetest.Memory
	perDay int64
	lose   int64 // one of so many; 0 loses none
	names  [2][]string
	read   atomic.Int64
}

const (
	endlessDevices = 100
	endlessTags    = 10
)

func newEndless(perDay, lose int64) *endless {
	e := &endless{perDay: perDay, lose: lose}
	for d := range endlessDevices {
		e.names[0] = append(e.names[0], fmt.Sprintf("plant1-press%03d", d))
	}
	for t := range endlessTags {
		e.names[1] = append(e.names[1], fmt.Sprintf("temperature%d", t))
	}
	return e
}

func (e *endless) Costs() validate.Costs { return validate.Costs{Readings: e.read.Load()} }

func (e *endless) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	step := int64(24*time.Hour) / e.perDay
	page := make([]validate.Record, 0, 1000)
	first, by := max(q.From.Sub(start).Nanoseconds()+step-1, 0)/step, int64(1)
	if q.Device != "" && q.Tag != "" { // what a query by both means is found at once
		by = endlessDevices * endlessTags
		own := int64(slices.Index(e.names[1], q.Tag)*endlessDevices + slices.Index(e.names[0], q.Device))
		first += (own - first%by + by) % by
	}
	last := q.To.UnixNano()
	for i := first; i < e.perDay; i += by {
		at := start.UnixNano() + i*step
		if at >= last {
			break
		}
		device, tag := e.names[0][i%endlessDevices], e.names[1][i/endlessDevices%endlessTags]
		if e.lose > 0 && i%e.lose == e.lose-1 || q.Device != "" && q.Device != device || q.Tag != "" && q.Tag != tag {
			continue
		}
		page = append(page, validate.Record{Reading: reading.Reading{
			Site: "plant1", Line: "line2", Device: device, Tag: tag, Quality: "good",
			Time: at, Value: reading.OfFloat(float64(i%977) + .5), Seq: uint64(i/endlessDevices) + 1,
		}})
		if len(page) == cap(page) {
			e.read.Add(int64(len(page)))
			if err := take(validate.Page{Records: page}); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	e.read.Add(int64(len(page)))
	return take(validate.Page{Records: page})
}

// BenchmarkRun compares a day of ten million readings. pass is what making them
// costs; ns/reading counts a reading of each side as one.
func BenchmarkRun(b *testing.B) {
	const perDay = 10_000_000
	b.Run("pass", func(b *testing.B) {
		for b.Loop() {
			n := 0
			err := newEndless(perDay, 0).Read(b.Context(), validate.Query{From: start, To: start.Add(24 * time.Hour)}, func(p validate.Page) error {
				n += len(p.Records)
				return nil
			})
			if err != nil || n != perDay {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perDay, "ns/reading")
	})
	for _, lose := range []int64{0, 100_003, 1001} {
		b.Run(fmt.Sprintf("lose=%d", lose), func(b *testing.B) {
			b.ReportAllocs()
			var read int64
			for b.Loop() {
				e, o := newEndless(perDay, 0), newEndless(perDay, lose)
				e.Has.Selective = true
				options := validate.DefaultOptions()
				e.SetWatermark(start.Add(25 * time.Hour))
				res, err := validate.Run(b.Context(), validate.Job{
					Options: options, ExpectName: "truth", ObserveName: "copy", From: start, To: start.Add(24 * time.Hour), Expect: e, Observe: o,
				})
				if err != nil {
					b.Fatal(err)
				}
				lost := int64(0)
				if lose > 0 {
					lost = perDay / lose
				}
				if c := res.Counts; c.Expected != perDay || c.Missing != lost || c.Matched != perDay-lost {
					b.Fatalf("%+v", res.Counts)
				}
				read += res.Expectation.Readings + res.Observation.Readings
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/perDay, "ns/reading")
			b.ReportMetric(float64(read)/float64(b.N)/2/perDay, "reads")
			b.ReportMetric(peakRSS(b), "peak-MB")
		})
	}
}

// peakRSS is the most memory that the process ever had, in MB.
func peakRSS(b *testing.B) float64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	var kb float64
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(rest, &kb); err != nil {
		b.Fatal(err)
	}
	return kb / 1000
}
