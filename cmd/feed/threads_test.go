package main

import (
	"runtime"
	"testing"
)

func TestLimitThreads(t *testing.T) {
	before := runtime.GOMAXPROCS(4)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct {
		env          string
		routes, want int
	}{{"", 50, 4}, {"", 3, 3}, {"", 1, 1}, {"", 0, 1}, {"4", 1, 4}} {
		runtime.GOMAXPROCS(4)
		t.Setenv("GOMAXPROCS", c.env)
		if limitThreads(c.routes); runtime.GOMAXPROCS(0) != c.want {
			t.Errorf("%d routes, GOMAXPROCS=%q: %d threads, want %d", c.routes, c.env, runtime.GOMAXPROCS(0), c.want)
		}
	}
}
