package testenv_test

import (
	"testing"

	"github.com/kraft-edge/datafeed/internal/testenv"
)

func TestAmount(t *testing.T) {
	for long, want := range map[string]int{"": 3, "1": 50} {
		t.Setenv("TEST_LONG", long)
		if got := testenv.Amount(3, 50); got != want {
			t.Errorf("TEST_LONG=%s: %d, want %d", long, got, want)
		}
	}
}

func TestRandomIsRepeated(t *testing.T) {
	t.Setenv("TEST_SEED", "")
	if a, b := testenv.Random(t).Uint64(), testenv.Random(t).Uint64(); a == b {
		t.Errorf("twice %d, without a seed", a)
	}
	t.Setenv("TEST_SEED", "7")
	if a, b := testenv.Random(t).Uint64(), testenv.Random(t).Uint64(); a != b {
		t.Errorf("%d and %d with one seed", a, b)
	}
}
