package mqtt

import (
	"testing"

	"github.com/kraft-edge/datafeed/feed"
)

// A message must cost no allocation, whatever a batch costs.
func TestMessagesDoNotAllocate(t *testing.T) {
	s := newTestSink(t, ackAll(t))
	cost := func(n int) float64 {
		b := feed.NewBatch(benchMessages(n, 200)...)
		return testing.AllocsPerRun(50, func() {
			if err := s.PublishBatch(t.Context(), b); err != nil {
				t.Error(err)
			}
		})
	}
	const few, many = 10, 2010
	small, large := cost(few), cost(many)
	if small > 30 {
		t.Errorf("a batch of %d allocates %v times", few, small)
	}
	if per := (large - small) / (many - few); per > 0.01 {
		t.Errorf("a message allocates %v times", per)
	}
}
