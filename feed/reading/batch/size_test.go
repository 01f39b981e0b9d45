package batch_test

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed/reading/batch"
)

// TestColumnarIsSmaller holds the columns to what docs/batch-format.md says of
// them beside JSON in zstd.
func TestColumnarIsSmaller(t *testing.T) {
	atMost := map[string]float64{"decimals": 1. / 7, "doubles": 1. / 2, "mixed": 1. / 5}
	for _, s := range signals {
		rs := s.make(1000)
		size := func(c batch.Codec) float64 {
			frame, err := batch.Append(nil, c, rs[0].Device, 1, rs)
			if err != nil {
				t.Fatal(err)
			}
			return float64(len(frame))
		}
		json, columnar := size(batch.JSONZstd()), size(batch.Columnar())
		t.Logf("%s: json+zstd %.0f bytes, columnar %.0f, 1/%.1f", s.name, json, columnar, json/columnar)
		if columnar > json*atMost[s.name] {
			t.Errorf("%s: columnar has %.0f bytes, json+zstd %.0f", s.name, columnar, json)
		}
	}
}
