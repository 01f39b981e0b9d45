package amqp

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
)

// recorder is a channel that keeps what was acknowledged, as the broker does.
type recorder struct {
	channel
	open   []uint64
	frames []string
	wrong  error
	fail   error // of Ack
}

func (r *recorder) Ack(tag uint64, multiple bool) error {
	if r.fail != nil {
		return r.fail
	}
	r.frames = append(r.frames, fmt.Sprintf("ack %d %v", tag, multiple))
	i := slices.Index(r.open, tag)
	if i < 0 {
		r.wrong = fmt.Errorf("unknown delivery tag %d", tag)
		return nil
	}
	if multiple {
		r.open = r.open[i+1:]
	} else {
		r.open = slices.Delete(r.open, i, i+1)
	}
	return nil
}

func (r *recorder) Close() error { return nil }

func testSubscription(n int) (*subscription, *recorder) {
	r := &recorder{}
	b := newFakeBroker()
	l, _ := b.dial(context.Background())
	s := &subscription{consumer: &consumer{link: l, ch: r, queue: "q", box: newInbox(16 * feed.MiB)}, acks: newAcks(0, func() {})}
	for i := range n {
		_ = s.window.add(&delivery{tag: uint64(i + 1)})
		r.open = append(r.open, uint64(i+1))
	}
	return s, r
}

func settlements(tags ...uint64) []feed.Settlement {
	var s []feed.Settlement
	for _, tag := range tags {
		s = append(s, feed.Settlement{Tag: tag, Outcome: feed.Delivered})
	}
	return s
}

func TestSettleFrames(t *testing.T) {
	s, r := testSubscription(10)
	for _, c := range []struct {
		settle []uint64
		want   []string
	}{
		{[]uint64{1, 2, 3}, []string{"ack 3 true"}},
		{[]uint64{5, 6}, []string{"ack 5 false", "ack 6 false"}}, // 4 is unsettled
		{[]uint64{4}, []string{"ack 4 false"}},
		{[]uint64{7, 9}, []string{"ack 7 false", "ack 9 false"}},
		{[]uint64{8, 10}, []string{"ack 10 true"}}, // 9 is between and settled
	} {
		r.frames = nil
		noError(t, s.Settle(t.Context(), settlements(c.settle...)))
		if !slices.Equal(r.frames, c.want) {
			t.Errorf("settling %v wrote %v, want %v", c.settle, r.frames, c.want)
		}
	}
	if len(r.open) > 0 || r.wrong != nil {
		t.Errorf("open %v, %v", r.open, r.wrong)
	}
}

func TestSettleRefusesStrangers(t *testing.T) {
	s, r := testSubscription(3)
	noError(t, s.Settle(t.Context(), settlements(2)))
	for _, tag := range []uint64{0, 2, 4, 1 << 60} {
		if err := s.Settle(t.Context(), settlements(tag)); err == nil {
			t.Errorf("tag %d was settled", tag)
		}
	}
	if !slices.Equal(r.open, []uint64{1, 3}) {
		t.Errorf("open %v", r.open)
	}
}

// Whatever is settled in whatever order, the broker's open deliveries are
// exactly the unsettled ones and those of which it is still to be told, and no
// acknowledgement names a closed one.
func TestSettleModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, r := testSubscription(0)
		s.acks.most = rapid.IntRange(0, 100).Draw(t, "most owed")
		s.acks.last = time.Now()
		defer s.acks.stop()
		var unsettled []uint64
		next := uint64(1)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "receive") {
				for range rapid.IntRange(1, 90).Draw(t, "n") {
					if err := s.window.add(&delivery{tag: next}); err != nil {
						t.Fatal(err)
					}
					unsettled = append(unsettled, next)
					r.open = append(r.open, next)
					next++
				}
				continue
			}
			keep := rapid.IntRange(0, 100).Draw(t, "keep percent")
			var settle, rest []uint64
			for _, tag := range unsettled {
				if rapid.IntRange(0, 99).Draw(t, "dice") < keep {
					rest = append(rest, tag)
				} else {
					settle = append(settle, tag)
				}
			}
			if err := s.Settle(context.Background(), settlements(settle...)); err != nil {
				t.Fatal(err)
			}
			unsettled = rest
			open := slices.Sorted(slices.Values(append(slices.Clone(unsettled), s.acks.owed...)))
			if r.wrong != nil || !slices.Equal(r.open, open) || len(s.acks.owed) > s.acks.most {
				t.Fatalf("the broker has %v open; unsettled are %v, owed %v (%v)", r.open, unsettled, s.acks.owed, r.wrong)
			}
			for _, tag := range unsettled {
				if d, err := s.window.get(tag); err != nil || d.tag != tag {
					t.Fatalf("delivery %d: %v, %v", tag, d, err)
				}
			}
		}
	})
}

func TestWindowRefusesGaps(t *testing.T) {
	var w window
	if err := w.add(&delivery{tag: 2}); err == nil {
		t.Error("a gap before the first tag was accepted")
	}
	noError(t, w.add(&delivery{tag: 1}))
	if err := w.add(&delivery{tag: 3}); err == nil {
		t.Error("a gap in the tags was accepted")
	}
	// With nothing unsettled, too: an acknowledgement of 3 would cover 2.
	noError(t, w.settle(1))
	w.advance()
	for _, tag := range []uint64{1, 3} {
		if err := w.add(&delivery{tag: tag}); err == nil {
			t.Errorf("tag %d was accepted after 1", tag)
		}
	}
	noError(t, w.add(&delivery{tag: 2}))
}
