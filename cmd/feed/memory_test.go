package main

import (
	"math"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func TestLimitMemory(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	const none, half = math.MaxInt64, 512 << 20
	for _, c := range []struct {
		env, file, text string
		want            int64
	}{
		{"", "memory.max", "536870912\n", half / 10 * 9},
		{"", "memory.max", "max\n", none},
		{"", "memory/memory.limit_in_bytes", "536870912\n", half / 10 * 9},
		{"400MiB", "memory.max", "536870912\n", none},
		{"", "cgroup.procs", "1\n", none},
	} {
		t.Setenv("GOMEMLIMIT", c.env)
		debug.SetMemoryLimit(none)
		limitMemory(fstest.MapFS{c.file: {Data: []byte(c.text)}})
		if got := debug.SetMemoryLimit(-1); got != c.want {
			t.Errorf("GOMEMLIMIT=%q, %s %q: the limit is %d, want %d", c.env, c.file, c.text, got, c.want)
		}
	}
}
