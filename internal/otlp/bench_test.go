package otlp

import (
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// What a message costs that is asked about and not followed, and one that is, from
// receipt to settlement; nobody takes the spans.
func BenchmarkFollow(b *testing.B) {
	for _, bb := range []struct {
		name        string
		ratio       float64
		traceparent string
	}{{"lost", 0, ""}, {"one in a hundred", 0.01, ""}, {"says no", 1, unsampled}, {"followed", 0, sampled}} {
		b.Run(bb.name, func(b *testing.B) {
			e, err := Open(b.Context(), config.OTLP{Endpoint: "http://127.0.0.1:1", Traces: config.OTLPTraces{Ratio: bb.ratio}}, "line", "", quiet())
			if err != nil {
				b.Fatal(err)
			}
			defer e.Close()
			m := withMetadata(message.Metadata{feed.MetaTopic: "a/b", "traceparent": bb.traceparent})
			if bb.traceparent == "" {
				delete(m.Metadata, "traceparent")
			}
			made := withMetadata(message.Metadata{})
			now := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				if s := e.Follow(hop, m, now); s != nil {
					s.Lead(0, made)
					s.End(feed.Delivered, "")
				}
			}
		})
	}
}

// TestWhatIsNotFollowedAllocatesNothing is what lets a ratio be small.
func TestWhatIsNotFollowedAllocatesNothing(t *testing.T) {
	e := open(t, config.OTLP{Endpoint: "http://127.0.0.1:1"}, quiet())
	defer e.Close()
	for _, md := range []message.Metadata{{feed.MetaTopic: "a"}, {"traceparent": unsampled}} {
		m, now := withMetadata(md), time.Now()
		if n := testing.AllocsPerRun(1000, func() {
			if e.Follow(hop, m, now) != nil {
				t.Error("followed")
			}
		}); n != 0 {
			t.Errorf("%v: %v allocations", md, n)
		}
	}
}
