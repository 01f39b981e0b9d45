package feed

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
)

// TestGapsAreCountedOnce reads the same gap again after each subscription.
func TestGapsAreCountedOnce(t *testing.T) {
	p := &progress{resume: Resumption{Generation: 1, Committed: &Position{Offset: 1}}}
	at := func(offset uint64) Delivery { return Delivery{Tag: offset + 1, Message: &message.Message{}} }
	for _, step := range []struct {
		offset, missing uint64
		again           bool // a new subscription begins with it
	}{
		{4, 2, true}, {7, 2, false}, // 2 and 3, then 5 and 6
		{4, 0, true}, {7, 0, false}, {9, 1, false},
		{8, 0, true}, {12, 3, false}, // 9 has gone before it was stored, 10 and 11 are new
	} {
		if step.again {
			p.begun = false
		}
		stored, missing, err := p.next(at(step.offset))
		if stored || err != nil || missing != step.missing {
			t.Errorf("offset %d: %d missing, want %d; stored %v, %v", step.offset, missing, step.missing, stored, err)
		}
	}
}
