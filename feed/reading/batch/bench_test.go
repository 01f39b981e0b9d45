package batch_test

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// BenchmarkDecode unpacks frames of 1,000 readings, and says how many bytes a
// reading takes in them.
func BenchmarkDecode(b *testing.B) {
	benchmark(b, func(b *testing.B, _ batch.Codec, _ []reading.Reading, frame []byte) {
		var rs []reading.Reading
		for b.Loop() {
			parsed, err := batch.Parse(frame, batch.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			if rs, err = parsed.Decode(batch.All(), rs[:0], batch.Limits{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkAppend makes such frames.
func BenchmarkAppend(b *testing.B) {
	benchmark(b, func(b *testing.B, codec batch.Codec, rs []reading.Reading, frame []byte) {
		for b.Loop() {
			var err error
			if frame, err = batch.Append(frame[:0], codec, rs[0].Device, 1, rs); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func benchmark(b *testing.B, run func(*testing.B, batch.Codec, []reading.Reading, []byte)) {
	const n = 1000
	for _, codec := range batch.All() {
		for _, s := range signals {
			b.Run(codec.Name()+"/"+s.name, func(b *testing.B) {
				rs := s.make(n)
				frame, err := batch.Append(nil, codec, rs[0].Device, 1, rs)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				run(b, codec, rs, frame)
				b.ReportMetric(float64(len(frame))/n, "B/reading")
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/reading")
			})
		}
	}
}
