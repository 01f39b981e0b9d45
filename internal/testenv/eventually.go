package testenv

import (
	"testing"
	"time"
)

// Eventually asks for a condition on something external, such as a broker's figures, until it holds, and fails the test
// when it does not within d. What happens inside the test's own process is waited for with channels instead.
func Eventually(t testing.TB, d time.Duration, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %v in vain for %s", d, what)
		}
	}
}
