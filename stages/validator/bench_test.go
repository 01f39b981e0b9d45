package validator

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// plant returns readings of ten devices of twenty tags each, as they come: decimals
// that wander, integers and truth values.
func plant(from time.Time, n int) []reading.Reading {
	rs := make([]reading.Reading, n)
	random, walks := rand.New(rand.NewPCG(1, uint64(from.UnixNano()))), map[int]int{}
	for i := range rs {
		walks[i%200] += random.IntN(41) - 20
		value := reading.OfFloat(float64(2000+walks[i%200]) / 100)
		switch i % 5 {
		case 3:
			value = reading.OfInt(int64(i))
		case 4:
			value = reading.OfBool(i%2 == 0)
		}
		rs[i] = reading.Reading{
			Site: "plant1", Line: "line2", Device: fmt.Sprintf("press%d", i%10), Tag: fmt.Sprintf("tag%d", i/10%20),
			Time: from.Add(time.Duration(i)*100*time.Microsecond + time.Duration(random.IntN(50_000))).UnixNano(), Value: value, Quality: "good", Seq: uint64(i / 10),
		}
	}
	return rs
}

// BenchmarkPublish stores batches of 1,000 readings, and says how many readings a
// second that are, how many bytes one takes in the store, and as JSON.
func BenchmarkPublish(b *testing.B) {
	for _, n := range []int{100, 500, 1000, 5000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := newRig(b, func(c *Config) { c.MaxBytes = 64 * feed.GiB })
			batch := feed.NewBatch(messages(plant(noon, n)...)...)
			payload := batch.Bytes()
			done := 0
			for b.Loop() {
				if err := r.PublishBatch(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				done += n
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "readings/s")
			b.ReportMetric(float64(r.kept.Load().store.stored())/float64(done), "B/reading")
			b.ReportMetric(float64(payload)/float64(n), "B/payload")
		})
	}
}

// BenchmarkRead hands out a million readings.
func BenchmarkRead(b *testing.B) {
	const n = 1_000_000
	r := newRig(b, nil)
	for i := range n / 1000 {
		r.store(b, plant(noon.Add(time.Duration(i)*100*time.Millisecond), 1000)...)
	}
	v := &side{store: r.kept.Load().store}
	for b.Loop() {
		got := 0
		err := v.Read(b.Context(), validate.Query{From: noon, To: noon.Add(time.Hour)}, func(p validate.Page) error {
			got += len(p.Records)
			return nil
		})
		if err != nil || got != n {
			b.Fatalf("%d readings, %v", got, err)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "readings/s")
}
