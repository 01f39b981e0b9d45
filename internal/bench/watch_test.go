package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestParseField(t *testing.T) {
	const status = "Name:\tfeed\nVmHWM:\t   33012 kB\nVmRSS:\t  100 kB\nBad:\tx\nEmpty:\n"
	tests := []struct {
		name string
		want uint64
		ok   bool
	}{{"VmHWM:", 33012, true}, {"VmRSS:", 100, true}, {"Bad:", 0, false}, {"Empty:", 0, false}, {"HWM:", 0, false}}
	for _, tt := range tests {
		if got, ok := parseField(status, tt.name); got != tt.want || ok != tt.ok {
			t.Errorf("%s %d %v", tt.name, got, ok)
		}
	}
}

func TestWatchSeesWrites(t *testing.T) {
	begin := time.Now()
	w := watch{pid: os.Getpid(), lastWrite: begin, leastBytes: ackBytes}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var last time.Time
	for i := range 3 {
		if _, err := file.Write(make([]byte, ackBytes)); err != nil {
			t.Fatal(err)
		}
		last = begin.Add(time.Duration(i+1) * time.Second)
		w.look(last)
	}
	// A heartbeat is no acknowledgement.
	if _, err := file.Write(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	w.look(last.Add(time.Second))
	if !w.saw() || !w.lastWrite.Equal(last) {
		t.Errorf("got %+v, want the last write at %v", w, last)
	}
}

func TestWatchOfAnEndedProcess(t *testing.T) {
	w := watch{pid: 1 << 30}
	w.look(time.Now())
	if w.saw() {
		t.Errorf("got %+v", w)
	}
}

func TestCPUTime(t *testing.T) {
	const stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 250 31 9 9 20 0 8 0 1234 5678 90\n"
	if got, err := parseCPUTime(stat); err != nil || got != 2810*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "42 (a) S 1", strings.Replace(stat, "250", "x", 1)} {
		if _, err := parseCPUTime(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := cpuTime(os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestCPUModel(t *testing.T) {
	const text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: Some CPU @ 2GHz\n"
	if got := cpuModel(text); got != "Some CPU @ 2GHz" {
		t.Errorf("got %q", got)
	}
}
