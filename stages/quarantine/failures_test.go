package quarantine

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
)

// TestFailuresAreBounded replays items of which none can be made a message
// again: all count, and few are kept.
func TestFailuresAreBounded(t *testing.T) {
	s := open(t, nil)
	put(t, s, numbered(1, 2*keptFailures)...)
	source := NewSource(edit(t, s).Replay("r", ""), Query{}, func(o feed.Original) (*message.Message, error) {
		return nil, fmt.Errorf("number %s", o.Payload)
	})
	sub, err := source.SubscribeBatch(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if ds, err := sub.Receive(t.Context(), nil, 7); len(ds) != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("%d deliveries, error %v", len(ds), err)
	}
	lost := source.Unrestored()
	if lost.Count != 2*keptFailures || len(lost.First) != keptFailures || lost.First[keptFailures-1].Error() != "item 10: number 10" {
		t.Errorf("%d errors, kept %q", lost.Count, lost.First)
	}
}
