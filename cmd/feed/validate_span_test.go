package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/stages"
)

// TestSpan: what is compared when some of the flags are given, at 10:05 with
// windows of an hour and a lateness of ten minutes: nothing after 9 is decided.
func TestSpan(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 5, 0, 0, time.UTC)
	for _, c := range []struct {
		o    validation
		want string // or the error
	}{
		{validation{}, "2026-03-01T09:00:00Z to 2026-03-02T09:00:00Z (up to the newest window that can be decided)"},
		{validation{last: 2 * time.Hour}, "2026-03-02T07:00:00Z to 2026-03-02T09:00:00Z (up to the newest window that can be decided)"},
		{validation{from: "2026-03-02"}, "2026-03-02T00:00:00Z to 2026-03-02T09:00:00Z (up to the newest window that can be decided)"},
		{validation{to: "2026-03-02T10:00:00+01:00"}, "2026-03-01T09:00:00Z to 2026-03-02T09:00:00Z"},
		{validation{to: "2026-03-02", last: time.Hour}, "2026-03-01T23:00:00Z to 2026-03-02T00:00:00Z"},
		{validation{from: "2026-02-01", to: "2026-03-01"}, "2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z"},
		{validation{from: "2026-03-02T09:30:00Z"}, "--from: nothing after 2026-03-02T09:00:00Z can be decided by now: windows last 1h0m0s, and 10m0s more must pass; --to says otherwise"},
		{validation{from: "2026-03-02", to: "2026-03-02"}, "--from: 2026-03-02T00:00:00Z is not before --to, which is 2026-03-02T00:00:00Z"},
		{validation{from: "yesterday"}, `--from: "yesterday" is no time: write 2026-03-01 for midnight in UTC, or 2026-03-01T12:00:00Z`},
		{validation{to: "2026-13-01"}, `--to: "2026-13-01" is no time`},
		{validation{last: time.Hour, from: "2026-03-01"}, "--last and --from both say where to begin: keep one"},
		{validation{last: -time.Hour}, "--last: -1h0m0s is negative"},
	} {
		s, err := c.o.span(now, validate.DefaultOptions())
		got := s.String()
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.HasPrefix(got, c.want) {
			t.Errorf("%+v:\n got %s\nwant %s", c.o, got, c.want)
		}
	}
}

// TestSpanOfAnyWindow: without an end the range ends with a window that can be decided
// by now, and with the newest of these, also where windows do not divide a day.
func TestSpanOfAnyWindow(t *testing.T) {
	now := time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)
	const lateness = 10 * time.Minute
	for _, window := range []time.Duration{time.Hour, 24 * time.Hour, 5 * time.Hour, 7 * time.Hour, 72 * time.Hour, 168 * time.Hour, 7 * time.Second} {
		o := validation{last: 3 * window}
		s, err := o.span(now, validate.Options{Window: window, Lateness: lateness})
		if err != nil {
			t.Fatal(err)
		}
		var truth, place validatetest.Memory
		truth.SetWatermark(now)
		opts := validate.DefaultOptions()
		opts.Window, opts.Lateness = window, lateness
		r, err := validate.Run(t.Context(), validate.Job{Options: opts, Expect: &truth, Observe: &place, From: s.from, To: s.to})
		if err != nil {
			t.Fatal(err)
		}
		if !r.From.Equal(s.from) || !r.To.Equal(s.to) {
			t.Errorf("windows of %v: %s was moved to %s to %s", window, s, r.From, r.To)
		}
		if decided := s.to.Add(lateness); decided.After(now) || !decided.Add(window).After(now) {
			t.Errorf("windows of %v: %s does not end with the newest that can be decided at %s", window, s, now)
		}
	}
}

// TestValidateHelpIsRight: the section that the help shows is one.
func TestValidateHelpIsRight(t *testing.T) {
	_, rest, _ := strings.Cut(validateHelp, "\n\n")
	example, _, found := strings.Cut(rest, "\n\n")
	if !found || !strings.HasPrefix(example, "  validate:\n") {
		t.Fatalf("no example stands behind the first paragraph: %q", example)
	}
	file := filepath.Join(t.TempDir(), "feed.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll("\n"+example, "\n  ", "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLOUD_URL", "https://api.vendor.example")
	t.Setenv("CLOUD_SECRET", "s3cret")
	registry, err := feed.NewRegistry(stages.All()...)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := newCLI(registry, streams{}).loadValidation(file, false)
	if err != nil {
		t.Fatal(err)
	}
	job, err := cfg.Validation("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(job.Expect.Close(), job.Observe.Close()); err != nil {
		t.Error(err)
	}
}

// TestValidationLine: how far, how fast, and what is wrong, the worst first.
func TestValidationLine(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	p := validate.Progress{
		From: from, Reached: from.Add(6 * time.Hour), To: from.Add(24 * time.Hour), Phase: "comparing",
		Expected: validate.Costs{Readings: 3000}, Observed: validate.Costs{Readings: 2990},
		Counts: validate.Counts{Missing: 10, Late: 2, OutOfOrder: 1},
	}
	if got, want := validationLine(p, 2*time.Second), "25% | read 3,000 expected, 2,990 observed | 2,995 readings/s | 10 missing, 2 late, 1 out of order | comparing"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, want := validationLine(validate.Progress{}, 0), "0% | read 0 expected, 0 observed | 0 readings/s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
