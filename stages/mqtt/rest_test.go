package mqtt

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRestFor(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		came, left int
		in, want   time.Duration
	}{
		{1, 5, ms / 10, 0},                      // few: all are here sooner than a rest ends
		{100, 900, ms, 4500 * time.Microsecond}, // a large batch
		{100, 400, ms, 2 * ms},                  // half of what it takes
		{100, 120, ms, ms},                      // at least what can be rested exactly
		{100, 90, ms, 0},                        // nearly all
		{1, 99, ms / 2, longestRest},            // one of many connections gets an answer at a time
		{1000, 0, 20 * ms, 0},                   // all
		{0, 10, ms, 0},                          // none of them in order
		{1, 1, time.Hour, longestRest},          // a broker that hardly answers
		{65535, 65535, 0, 0},                    // no time at all
	} {
		if got := restFor(tt.came, tt.left, tt.in); got != tt.want {
			t.Errorf("%d in %v, %d left: %v, want %v", tt.came, tt.in, tt.left, got, tt.want)
		}
	}
}

func TestRestForIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(0, maxPacketID)
		got := restFor(count.Draw(t, "came"), count.Draw(t, "left"), time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "in")))
		if got != 0 && (got < leastRest || got > longestRest) {
			t.Fatalf("got %v", got)
		}
	})
}
