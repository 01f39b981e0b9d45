package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
)

// comparison is a file whose two sides stand in memory.
type comparison struct {
	expected, observed validatetest.Memory
	store              validate.Side // what is observed
	file               string
}

type nothing struct{}

func (*nothing) Validate() error { return nil }

// newComparison returns sides that agree on ten readings of the first hour of
// 2026-03-01, of which all have arrived by two o'clock.
func newComparison(t *testing.T) *comparison {
	c := &comparison{file: filepath.Join(t.TempDir(), "feed.yaml")}
	c.store = &c.observed
	const text = `
log: {level: error}
validate:
  expect: {cloud: {}}
  observe: {store: {}, other: {}}
`
	if err := os.WriteFile(c.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c.expected.Name, c.observed.Name = "the cloud", "the store"
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	c.expected.SetWatermark(start.Add(2 * time.Hour))
	for i := range 10 {
		r := validate.Record{Reading: reading.Reading{
			Site: "plant1", Line: "line2", Device: "press7", Tag: "temperature",
			Time: start.Add(time.Duration(i) * time.Minute).UnixNano(), Value: reading.OfFloat(20 + float64(i)), Quality: "good", Seq: uint64(i + 1),
		}, Place: validate.Place{Object: "page", Position: int64(i + 1)}}
		c.expected.Put(r)
		c.observed.Put(r)
	}
	return c
}

// run runs feed with args, and returns the exit code and what was printed.
func (c *comparison) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	none := func() nothing { return nothing{} }
	registry, err := feed.NewRegistry(
		validate.ExpectationFactory("cloud", "Knows.", none, func(nothing, feed.StageEnv) (*validatetest.Memory, error) { return &c.expected, nil }),
		validate.ObservationFactory("store", "Has.", none, func(nothing, feed.StageEnv) (validate.Side, error) { return c.store, nil }),
		validate.ObservationFactory("other", "Has nothing.", none, func(nothing, feed.StageEnv) (*validatetest.Memory, error) {
			return &validatetest.Memory{Name: "the other"}, nil
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	root := newCLI(registry, streams{strings.NewReader(""), &out, &errs}).rootCommand()
	root.SetArgs(args)
	err = root.ExecuteContext(t.Context())
	if err != nil {
		errs.WriteString(message(err) + "\n")
	}
	return exitCode(err), out.String(), errs.String()
}

// hour is the range of the readings.
var hour = []string{"--from", "2026-03-01", "--to", "2026-03-01T01:00:00Z"}

func (c *comparison) validate(t *testing.T, flags ...string) (code int, stdout, stderr string) {
	t.Helper()
	return c.run(t, append(append([]string{"validate", c.file}, hour...), flags...)...)
}

// TestValidateProves: both sides say the same, in text and in JSON, and with a
// report.
func TestValidateProves(t *testing.T) {
	code, stdout, stderr := newComparison(t).validate(t)
	if code != exitOK || !strings.Contains(strings.ToLower(stdout), "proven") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	if want := "comparing 2026-03-01T00:00:00Z to 2026-03-01T01:00:00Z: the cloud with the store\n"; stderr != want {
		t.Errorf("stderr %q, want %q", stderr, want)
	}
	page := filepath.Join(t.TempDir(), "report.html")
	code, stdout, stderr = newComparison(t).validate(t, "--json", "--html", page)
	var r validate.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || code != exitOK || r.Outcome != validate.Proven || r.Counts.Matched != 10 || r.Expectation.Name != "cloud" || r.Observation.Name != "store" {
		t.Errorf("exit code %d, error %v:\n%s", code, err, stdout)
	}
	if !strings.HasSuffix(stderr, "report: "+page+"\n") {
		t.Errorf("stderr %q", stderr)
	}
	if html, err := os.ReadFile(page); err != nil || !strings.Contains(string(html), "press7") {
		t.Errorf("report of %d bytes, error %v", len(html), err)
	}
}

// TestValidateFinds what is missing from the observation, and lists it.
func TestValidateFinds(t *testing.T) {
	c := newComparison(t)
	extra := validate.Record{Reading: reading.Reading{Device: "press7", Tag: "pressure", Time: time.Date(2026, 3, 1, 0, 30, 0, 0, time.UTC).UnixNano(), Value: reading.OfInt(7), Quality: "good", Seq: 99}}
	c.expected.Put(extra)
	list := filepath.Join(t.TempDir(), "wrong.ndjson")
	code, stdout, stderr := c.validate(t, "--list", list)
	if code != exitFailure || !strings.HasSuffix(stderr, "feed: discrepancies: 1 missing\n") {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	lines, err := os.ReadFile(list)
	var d validate.Discrepancy
	if err := errors.Join(err, json.Unmarshal(lines, &d)); err != nil || d.Verdict != validate.Missing || d.Seq != 99 || d.Tag != "pressure" || bytes.Count(lines, []byte("\n")) != 1 {
		t.Errorf("list %q, error %v", lines, err)
	}
}

// TestValidateDecidesNothing: without a watermark, against an empty expectation,
// and when the side cannot be read; the exit code is 2, and the reason is said.
func TestValidateDecidesNothing(t *testing.T) {
	c := newComparison(t)
	c.expected.SetWatermark(time.Time{})
	if code, stdout, stderr := c.validate(t); code != exitUsage || !strings.Contains(stderr, "feed: not decided: ") {
		t.Errorf("without a watermark: exit code %d:\n%s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := newComparison(t).run(t, "validate", c.file, "--from", "2026-02-01", "--to", "2026-02-02"); code != exitUsage || !strings.Contains(stderr, "feed: not decided: ") {
		t.Errorf("with nothing expected: exit code %d:\n%s%s", code, stdout, stderr)
	}
	c = newComparison(t)
	c.observed.Fail = func(validate.Query, validate.Page) error { return errors.New("the store burns") }
	if code, stdout, stderr := c.validate(t); code != exitUsage || !strings.Contains(stderr, "the store burns") || stdout != "" {
		t.Errorf("with a store that fails: exit code %d:\n%s%s", code, stdout, stderr)
	}
	// Nothing is there of the other: all is missing.
	if code, _, stderr := newComparison(t).validate(t, "--against", "other"); code != exitFailure || !strings.Contains(stderr, "10 missing") {
		t.Errorf("against the other: exit code %d:\n%s", code, stderr)
	}
}

// TestValidateIsUsedWrongly: each mistake is named, before anything is read.
func TestValidateIsUsedWrongly(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--against", "stor"}, `observes no "stor": did you mean store?`},
		{[]string{"--last", "2h"}, "--last and --from both say where to begin"},
		{[]string{"--html", filepath.Join(dir, "no", "r.html")}, "--html: "},
		{[]string{"--list", filepath.Join(dir, "no", "l")}, "--list: "},
	} {
		comparison := newComparison(t)
		if code, stdout, stderr := comparison.validate(t, c.flags...); code != exitUsage || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d:\n%s%s", c.flags, code, stdout, stderr)
		}
	}
	comparison := newComparison(t)
	if err := os.WriteFile(comparison.file, []byte("name: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := comparison.validate(t); code != exitUsage || !strings.Contains(stderr, "validate: missing (write validate:") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// stopping is a store at which a signal comes.
type stopping struct{ *validatetest.Memory }

func (stopping) Read(ctx context.Context, _ validate.Query, _ func(validate.Page) error) error {
	if err := syscall.Kill(os.Getpid(), syscall.SIGINT); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

// TestValidateIsStopped by a signal, promptly, and says how to go on; nothing is
// left of a report.
func TestValidateIsStopped(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	for _, run := range []struct {
		flags []string
		want  string
	}{
		{nil, "with --state FILE the same command goes on"},
		{[]string{"--state", state}, "the same command goes on with what " + state + " keeps"},
	} {
		c := newComparison(t)
		c.store = stopping{&c.observed}
		dir := t.TempDir()
		code, stdout, stderr := c.validate(t, append(run.flags, "--html", filepath.Join(dir, "report.html"))...)
		if code != exitUsage || !strings.Contains(stderr, run.want) || stdout != "" {
			t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
			t.Errorf("left behind: %v, error %v", files, err)
		}
	}
}

// TestStateOfAnotherTime: a range that goes with the clock begins anew; one that
// was asked for is not taken for another.
func TestStateOfAnotherTime(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	c := newComparison(t)
	c.expected.SetWatermark(time.Date(2026, 3, 1, 0, 40, 0, 0, time.UTC))
	if err := os.WriteFile(c.file, []byte("validate: {expect: {cloud: {}}, observe: {store: {}}, window: 10m}"), 0o600); err != nil {
		t.Fatal(err)
	}
	// It ends undecided, and keeps what it knows.
	if code, stdout, stderr := c.validate(t, "--state", state); code != exitUsage || !strings.Contains(stderr, "not decided") {
		t.Fatalf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	kept, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr := newComparison(t).run(t, "validate", c.file, "--state", state, "--from", "2026-03-01", "--to", "2026-03-02")
	if now, err := os.ReadFile(state); code != exitUsage || !strings.Contains(stderr, "keeps the state of a run with other sides, range or options") || err != nil || !bytes.Equal(now, kept) {
		t.Errorf("exit code %d, error %v: %s", code, err, stderr)
	}
	code, _, stderr = newComparison(t).run(t, "validate", c.file, "--state", state)
	if code != exitUsage || !strings.Contains(stderr, "not decided") || !strings.Contains(stderr, "is of another time, and replaced") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if now, err := os.ReadFile(state); err == nil && bytes.Equal(now, kept) {
		t.Error("the state is still that of the other time")
	}
}
