package simulate_test

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// framesOf returns n readings of simulated devices in full batches.
func framesOf(t testing.TB, codec simulate.Codec, n int64) (frames [][]byte, bytes int) {
	t.Helper()
	c := simulate.DefaultConfig()
	c.Rate, c.Count, c.Codec, c.Start, c.Batch.Every, c.WindowSize = 0, n, codec, "2026-11-21T00:00:00Z", 1000*time.Hour, 100_000
	s, err := simulate.NewSource(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sub, err := s.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	for {
		ds, err := sub.Receive(t.Context(), nil, 1000)
		for _, d := range ds {
			frames = append(frames, d.Message.Payload)
			bytes += len(d.Message.Payload)
		}
		if errors.Is(err, io.EOF) {
			return frames, bytes
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Columns take a fraction of what JSON takes, on plausible signals.
func TestColumnsAreSmaller(t *testing.T) {
	const n = 100_000
	_, columnar := framesOf(t, "columnar", n)
	_, json := framesOf(t, "json+zstd", n)
	t.Logf("bytes a reading: columnar %.2f, json+zstd %.2f: %.1f times as many", float64(columnar)/n, float64(json)/n, float64(json)/float64(columnar))
	if json < 3*columnar {
		t.Errorf("json+zstd takes %d bytes, columnar %d", json, columnar)
	}
}

// BenchmarkDecode unpacks the batches of simulated devices, envelope and
// checksum included.
func BenchmarkDecode(b *testing.B) {
	for _, codec := range []simulate.Codec{"json+gzip", "json+zstd", "columnar"} {
		b.Run(string(codec), func(b *testing.B) {
			const n = 100_000
			frames, bytes := framesOf(b, codec, n)
			var rs []reading.Reading
			for b.Loop() {
				for _, frame := range frames {
					parsed, err := batch.Parse(frame, batch.Limits{})
					if err == nil {
						rs, err = parsed.Decode(batch.All(), rs[:0], batch.Limits{})
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(bytes)/n, "B/reading")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/reading")
		})
	}
}
