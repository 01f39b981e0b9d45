package main

import "fmt"

// memory is the most that a process ever had, in bytes.
type memory struct {
	rss int64
	// own is the part of rss that is no page of a file. The rest are pages of the
	// program's file: all processes that run it share them, and the kernel takes them
	// back when it needs them.
	own int64
}

func (m memory) plus(other memory) memory {
	return memory{rss: m.rss + other.rss, own: m.own + other.own}
}

// memoryOf returns the most that a process has had by now, as far as that was
// seen: the kernel keeps the highest RSS, and what is the process's own counts at
// the moment of a look.
func memoryOf(pid int, before memory) (memory, bool) {
	status, ok := processFile(pid, "status")
	if !ok {
		return before, false
	}
	peak, hasPeak := parseField(status, "VmHWM:")
	own, hasOwn := parseField(status, "RssAnon:")
	if !hasPeak || !hasOwn {
		return before, false
	}
	return memory{rss: max(before.rss, int64(peak)<<10), own: max(before.own, int64(own)<<10)}, true
}

// String shows both in MiB.
func (m memory) String() string {
	return fmt.Sprintf("%.1f (own %.1f)", mebibytes(m.rss), mebibytes(m.own))
}
