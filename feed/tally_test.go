package feed

import (
	"testing"

	"pgregory.net/rapid"
)

// The tally agrees with a naive one, whatever enters and leaves.
func TestTallyCountsWhatIsInFlight(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l, open := newTally(), []uint64{}
		rt.Repeat(map[string]func(*rapid.T){
			"enter": func(rt *rapid.T) {
				n := rapid.IntRange(0, 300).Draw(rt, "n")
				first := l.enter(n)
				for i := range n {
					open = append(open, first+uint64(i))
				}
			},
			"leave": func(rt *rapid.T) {
				for range rapid.IntRange(0, min(200, len(open))).Draw(rt, "n") {
					i := rapid.IntRange(0, len(open)-1).Draw(rt, "which")
					l.leave(open[i], Outcome(rapid.IntRange(1, 4).Draw(rt, "outcome")), "x")
					open = append(open[:i], open[i+1:]...)
				}
			},
			"trim": func(*rapid.T) { l.trim() },
			"": func(rt *rapid.T) {
				s := l.snapshot()
				if s.InFlight != uint64(len(open)) {
					rt.Fatalf("in flight %d, want %d", s.InFlight, len(open))
				}
				if err := s.Check(); err != nil {
					rt.Fatal(err)
				}
			},
		})
	})
}

// The equation can fail: each kind of mistake in counting shows.
func TestTallyShowsMistakes(t *testing.T) {
	for name, mistake := range map[string]func(l *tally, first uint64){
		"left twice":                    func(l *tally, first uint64) { l.leave(first, Delivered, ""); l.leave(first, Delivered, "") },
		"left without having entered":   func(l *tally, first uint64) { l.leave(first+1000, Delivered, "") },
		"left without an outcome":       func(l *tally, first uint64) { l.leave(first, 0, "") },
		"received but never entered":    func(l *tally, _ uint64) { l.account.Received++ },
		"counted as delivered in error": func(l *tally, _ uint64) { l.account.Delivered++ },
	} {
		t.Run(name, func(t *testing.T) {
			l := newTally()
			mistake(l, l.enter(100))
			if err := l.snapshot().Check(); err == nil {
				t.Error("the account balances all the same")
			}
		})
	}
}

func TestTallyStaysSmall(t *testing.T) {
	l := newTally()
	for range 10_000 {
		first := l.enter(64)
		for i := range uint64(64) {
			l.leave(first+i, Delivered, "")
		}
		l.trim()
	}
	if len(l.open) > 2 {
		t.Errorf("the tally holds %d words for nothing in flight", len(l.open))
	}
}
