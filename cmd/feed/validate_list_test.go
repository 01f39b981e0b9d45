package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// TestListOfRunThatIsGoneOnWith: each discrepancy stands once in the list, wherever
// the run before has ended and whatever of the list it had written by then.
func TestListOfRunThatIsGoneOnWith(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "wrong.ndjson")
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var truth, place validatetest.Memory
	truth.SetWatermark(start.Add(48 * time.Hour))
	for hour := range 8 {
		r := reading.Reading{Device: "press7", Tag: "temperature", Time: start.Add(time.Duration(hour) * time.Hour).UnixNano(), Value: reading.OfInt(1), Quality: "good", Seq: uint64(hour + 1)}
		truth.Put(validate.Record{Reading: r})
	}
	job := validate.Job{Options: validate.DefaultOptions(), Expect: &truth, Observe: &place, From: start, To: start.Add(8 * time.Hour), State: filepath.Join(dir, "state.json")}
	job.MaxCells = 1 // a window is a slice
	c := newCLI(nil, streams{strings.NewReader(""), &strings.Builder{}, &strings.Builder{}})
	stopped := errors.New("stopped")
	for found := 1; ; found++ {
		n := 0
		job.Discrepancy = func(validate.Discrepancy) error {
			if n++; n == found {
				return stopped
			}
			return nil
		}
		_, err := c.compare(context.Background(), job, path)
		if err == nil {
			break
		}
		if !errors.Is(err, stopped) {
			t.Fatal(err)
		}
		// What the process had written beyond what it kept, and a part of a line.
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.WriteString(`{"verdict":"missing"}` + "\n" + `{"verdict":"mis`)
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		if found > 10 {
			t.Fatal("no run comes to its end")
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var times []string
	for line := range strings.Lines(string(text)) {
		_, rest, _ := strings.Cut(line, `"time":"`)
		times = append(times, rest[:min(len(rest), 13)])
	}
	if want := 8; len(times) != want || len(slices.Compact(slices.Sorted(slices.Values(times)))) != want {
		t.Errorf("the list has %d lines, of %d readings that are missing:\n%s", len(times), want, text)
	}
}

// TestListOfRunThatBeginsAnew: when the watermark has gone back, what an earlier run has
// listed is listed anew, and not once more.
func TestListOfRunThatBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "wrong.ndjson")
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var truth, place validatetest.Memory
	for hour := range 8 {
		r := reading.Reading{Device: "press7", Tag: "temperature", Time: start.Add(time.Duration(hour) * time.Hour).UnixNano(), Value: reading.OfInt(1), Quality: "good", Seq: uint64(hour + 1)}
		truth.Put(validate.Record{Reading: r})
	}
	job := validate.Job{Options: validate.DefaultOptions(), Expect: &truth, Observe: &place, From: start, To: start.Add(8 * time.Hour), State: filepath.Join(dir, "state.json")}
	job.MaxCells, job.Lateness = 1, 0 // a window is a slice
	c := newCLI(nil, streams{strings.NewReader(""), &strings.Builder{}, &strings.Builder{}})
	stopped := errors.New("stopped")
	for _, run := range []struct {
		watermark, stops int // hours, discrepancies
		want             string
	}{
		{8, 5, "missing missing missing missing"},
		{2, 2, "missing"},
		{2, 100, "missing missing"},
		{8, 6, "missing missing missing missing missing"},
		{5, 1, ""},
		{8, 100, "missing missing missing missing missing missing missing missing"},
	} {
		truth.SetWatermark(start.Add(time.Duration(run.watermark) * time.Hour))
		n := 0
		job.Discrepancy = func(validate.Discrepancy) error {
			if n++; n == run.stops {
				return stopped
			}
			return nil
		}
		if _, err := c.compare(context.Background(), job, path); err != nil && !errors.Is(err, stopped) {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var verdicts []string
		times := map[string]bool{}
		for line := range strings.Lines(string(text)) {
			var d validate.Discrepancy
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatal(err)
			}
			verdicts, times[d.Time.String()] = append(verdicts, string(d.Verdict)), true
		}
		if got := strings.Join(verdicts, " "); got != run.want || len(times) != len(verdicts) {
			t.Errorf("watermark after %d hours, stopped at %d: listed %q at %d times, want %q", run.watermark, run.stops, got, len(times), run.want)
		}
	}
}

// TestListIsCut to the lines that stand, and refused when they are not there.
func TestListIsCut(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wrong.ndjson")
	long := strings.Repeat("x", 100_000) + "\n"
	if err := os.WriteFile(path, []byte(long+"two\nthr"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := openList(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.resume(3); err == nil || !strings.Contains(err.Error(), "has 2 of the 3 discrepancies") {
		t.Errorf("a list that lacks a line: %v", err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
	if l, err = openList(path); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.resume(1), l.keep(), l.close()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != long {
		t.Errorf("%d bytes are left of %d, %v", len(text), len(long), err)
	}
}
