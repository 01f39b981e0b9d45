package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// children are the processes that a process has started, as they were last seen.
type children struct {
	parentCPU time.Duration
	seen      map[int]child // by process id
}

type child struct {
	cpu  time.Duration
	peak memory
}

// look notes the children that a process has now. Like [watch.look] it does not
// mind that one has ended.
func (c *children) look(parent int) {
	cpu, err := cpuTime(parent)
	if err != nil {
		return
	}
	c.parentCPU = cpu
	for _, pid := range childrenOf(parent) {
		cpu, err := cpuTime(pid)
		if err != nil {
			continue
		}
		// Until it executes its program it has the memory of its parent, so that the
		// highest of all values would not do.
		if peak, ok := memoryOf(pid, memory{}); ok {
			if c.seen == nil {
				c.seen = map[int]child{}
			}
			// A peak that fell is another program's.
			if before, ok := c.seen[pid]; ok && before.peak.rss <= peak.rss {
				peak.own = max(peak.own, before.peak.own)
			}
			c.seen[pid] = child{cpu: cpu, peak: peak}
		}
	}
}

// childrenOf returns the processes that a process has started itself, each of
// which belongs to the thread that did it.
func childrenOf(parent int) []int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent)) // the pattern is well-formed
	var all []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // the thread has ended
		}
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all
}

// peak is the sum of the peaks.
func (c *children) peak() memory {
	var sum memory
	for _, one := range c.seen {
		sum = sum.plus(one.peak)
	}
	return sum
}

// counted fails unless there were children, and their CPU time is in that of the
// parent at its end: the kernel adds only that of children that were waited for.
func (c *children) counted(total time.Duration) error {
	if len(c.seen) == 0 {
		return errors.New("it was to start a process, and none was seen")
	}
	least := c.parentCPU
	for _, one := range c.seen {
		least += one.cpu
	}
	if total < least {
		return fmt.Errorf("the CPU time of the processes that it has started is missing: %v of %v altogether", total, least)
	}
	return nil
}
