package testenv

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// Names of environment variables.
const (
	longVariable = "TEST_LONG" // 1: a long run, as of "make test-long"
	seedVariable = "TEST_SEED" // what Random begins with
)

// Amount is how many messages, kills or rounds a test has: usually few, and many in a long run. Few must do to prove
// what the test proves; many find what is rare.
func Amount[N any](few, many N) N {
	if os.Getenv(longVariable) == "1" {
		return many
	}
	return few
}

// Random returns random numbers that differ from run to run. A test that fails says how to have them again.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		check(t, err)
	}
	t.Logf("repeat these random numbers with %s=%d", seedVariable, seed)
	return rand.New(rand.NewPCG(seed, 0))
}
