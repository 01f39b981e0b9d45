package host

import (
	"testing"
	"time"
)

func TestBudget(t *testing.T) {
	b := budget{restarts: 3, within: time.Minute}
	start := time.Unix(0, 0)
	for i, want := range []struct {
		at, wait time.Duration
		left     bool
	}{
		{0, 50 * time.Millisecond, true},
		{10 * time.Second, 100 * time.Millisecond, true},
		{20 * time.Second, 200 * time.Millisecond, true},
		{30 * time.Second, 30 * time.Second, false},
		{60 * time.Second, 200 * time.Millisecond, true},
		{61 * time.Second, 9 * time.Second, false},
		{10 * time.Minute, 50 * time.Millisecond, true},
	} {
		if wait, left := b.use(start.Add(want.at)); wait != want.wait || left != want.left {
			t.Errorf("%d: got %v, %v, want %v, %v", i, wait, left, want.wait, want.left)
		}
	}
	none := budget{within: time.Minute}
	if wait, left := none.use(start); wait != time.Minute || left {
		t.Errorf("without a budget: %v, %v", wait, left)
	}
}
