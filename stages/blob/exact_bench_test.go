package blob

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// BenchmarkDirectory measures what a batch costs in a directory, synced to
// disk, at least once and exactly once: the latter writes a checkpoint twice.
func BenchmarkDirectory(b *testing.B) {
	for _, n := range []int{1000, 10_000, 50_000} {
		for _, exactly := range []bool{false, true} {
			b.Run(fmt.Sprintf("messages=%d/exactlyOnce=%t", n, exactly), func(b *testing.B) { benchmarkDirectory(b, n, exactly) })
		}
	}
}

func benchmarkDirectory(b *testing.B, n int, exactly bool) {
	cfg := dirConfig(b.TempDir())
	cfg.Path, cfg.ExactlyOnce = "{date}/{hour}", exactly
	s, err := NewSink(cfg, testEnv)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if exactly {
		if _, err := s.Resume(b.Context(), "telemetry"); err != nil {
			b.Fatal(err)
		}
	}
	msgs, next := readings(n), uint64(0)
	for b.Loop() {
		batch := feed.NewBatch(msgs...)
		if exactly {
			batch.Range = &feed.Range{First: next, Deliveries: n, Last: feed.Position{
				Offset: next + uint64(n) - 1, SHA256: sha256.Sum256(msgs[n-1].Payload), // as the route does
			}}
			next += uint64(n)
		}
		if err := s.PublishBatch(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/message")
}
