package feed

import (
	"context"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
)

// beginning is a stream of which only the first offset is asked.
type beginning struct {
	OffsetSubscriber
	earliest uint64
}

func (b *beginning) Earliest(context.Context, string) (uint64, error) { return b.earliest, nil }

// TestGapsAreCountedOnce reads the same gap again after each subscription.
func TestGapsAreCountedOnce(t *testing.T) {
	stream := &beginning{}
	p := &progress{source: stream, resume: Resumption{Generation: 1, Committed: &Position{Offset: 1}}}
	r := &runner{progress: p, soft: t.Context()}
	at := func(offset uint64) Delivery { return Delivery{Tag: offset + 1, Message: &message.Message{}} }
	for _, step := range []struct {
		offset, earliest, missing uint64
		again                     bool // a new subscription begins with it
	}{
		{4, 4, 2, true}, {7, 7, 2, false}, // 2 and 3, then 5 and 6
		{4, 4, 0, true}, {7, 7, 0, false}, {9, 9, 1, false},
		{8, 8, 0, true}, {12, 12, 3, false}, // 9 has gone before it was stored, 10 and 11 are new
		{14, 12, 0, false}, // what is at 12 is still there: there was no message at 13
		{16, 13, 0, false}, {18, 17, 1, false},
	} {
		if step.again {
			p.begun = false
		}
		stream.earliest = step.earliest
		stored, err := p.next(at(step.offset))
		if stored || err != nil {
			t.Fatalf("offset %d: stored %v, %v", step.offset, stored, err)
		}
		missing, err := r.judgeGaps()
		if err != nil || missing != step.missing {
			t.Errorf("offset %d: %d missing, want %d; %v", step.offset, missing, step.missing, err)
		}
	}
}
