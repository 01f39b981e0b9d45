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
	pid       int
	written   uint64    // bytes, to sockets too
	lastWrite time.Time // when that grew: the last acknowledgement, once everything is settled
	peakRSS   int64     // bytes
}

// look notes what the process has done by now. It does not mind that the
// process may have ended: what counts is what was seen before.
//
// The maximum that wait4 returns is of no use: it includes what the process
// that forked this one had.
func (w *watch) look(now time.Time) {
	if n, ok := w.field("io", "wchar:"); ok && n != w.written {
		w.written, w.lastWrite = n, now
	}
	if n, ok := w.field("status", "VmHWM:"); ok {
		w.peakRSS = max(w.peakRSS, int64(n)<<10)
	}
}

// saw reports whether the process could be followed.
func (w *watch) saw() bool { return w.written > 0 && w.peakRSS > 0 }

func (w *watch) field(file, name string) (uint64, bool) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", w.pid, file))
	if err != nil {
		return 0, false
	}
	return parseField(string(data), name)
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
