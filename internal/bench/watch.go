package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// watch follows a running process through /proc.
type watch struct {
	pid        int
	leastBytes uint64    // that are a write of a process that has something to do
	written    uint64    // bytes, to sockets too
	lastWrite  time.Time // when that grew: the last acknowledgement, once everything is settled
	peak       memory
	parent     bool // look at the processes that it has started, too
	children   children
}

// ackBytes is the size of an acknowledgement to RabbitMQ (a frame with the
// method basic.ack). Whatever writes less is a heartbeat, or Go's runtime, which
// wakes itself up through a file of eight bytes: a process that has nothing to
// do any more writes these, too.
const ackBytes = 21

// look notes what the process has done by now. It does not mind that the
// process may have ended: what counts is what was seen before.
//
// The maximum that wait4 returns is of no use: it includes what the process
// that forked this one had.
func (w *watch) look(now time.Time) {
	if n, ok := processField(w.pid, "io", "wchar:"); ok {
		if n >= w.written+w.leastBytes {
			w.lastWrite = now
		}
		w.written = n
	}
	w.peak, _ = memoryOf(w.pid, w.peak)
	if w.parent {
		w.children.look(w.pid)
	}
}

// saw reports whether the process could be followed.
func (w *watch) saw() bool { return w.written > 0 && w.peak.rss > 0 }

// processField returns the number behind a name in a file of /proc/PID.
func processField(pid int, file, name string) (uint64, bool) {
	text, ok := processFile(pid, file)
	if !ok {
		return 0, false
	}
	return parseField(text, name)
}

// processFile returns a file of /proc/PID.
func processFile(pid int, file string) (string, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	return string(data), err == nil
}

// parseField returns the number behind a name at the start of a line.
func parseField(text, name string) (uint64, bool) {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, err := strconv.ParseUint(number, 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}

// clockTick is the unit of times in /proc, the same on all of Go's platforms.
const clockTick = 10 * time.Millisecond

// cpuTime returns the user and system time that a running process has taken.
func cpuTime(pid int) (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("CPU time: %w", err)
	}
	return parseCPUTime(string(data))
}

// parseCPUTime reads /proc/PID/stat.
func parseCPUTime(stat string) (time.Duration, error) {
	// The name of the program may hold anything, parentheses and spaces too.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const user, system = 11, 12 // the 14th and the 15th field; the first here is the third
	if len(fields) <= system {
		return 0, fmt.Errorf("CPU time: %q is no /proc/PID/stat", stat)
	}
	ticks := 0
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0, fmt.Errorf("CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}
