package main

import (
	"io/fs"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryLimits are the files that say how much memory a container may use, in the
// control groups of version 2 and of version 1.
var memoryLimits = []string{"memory.max", "memory/memory.limit_in_bytes"}

// limitMemory has the garbage collector work harder before the memory of the
// container is used up, unless GOMEMLIMIT says when: with a tenth of it left for
// what is not on the heap. Without that a heap may be twice as large as what is
// in use, and the kernel kills the feed.
func limitMemory(cgroup fs.FS) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	for _, name := range memoryLimits {
		text, err := fs.ReadFile(cgroup, name)
		if err != nil {
			continue // another version, or no container
		}
		if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil { // or it is "max"
			debug.SetMemoryLimit(limit / 10 * 9)
		}
		return
	}
}
