package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
	"github.com/kraft-edge/datafeed/feed/validate/repair"
	"github.com/kraft-edge/datafeed/feed/validate/validatetest"
	"github.com/kraft-edge/datafeed/internal/filelock"
	"github.com/kraft-edge/datafeed/stages"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// plant is a place with an archive, in which some of what the cloud knows is missing.
type plant struct {
	dir   string
	cloud validatetest.Memory
	file  string
	// before, when not nil, is called before the cloud is read.
	before func(context.Context, validate.Query) error
}

// newPlant returns one whose cloud knows n readings of the first hour of 2026-03-01,
// and whose archive has those from first on.
func newPlant(t *testing.T, n, first int) *plant {
	t.Helper()
	p := &plant{dir: t.TempDir()}
	p.file = filepath.Join(p.dir, "feed.yaml")
	p.cloud.Name = "the cloud"
	p.cloud.SetWatermark(time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC))
	for _, name := range []string{"out", "edge"} {
		if err := os.Mkdir(filepath.Join(p.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i := range n {
		p.cloud.Put(validate.Record{Reading: lost(i), Place: validate.Place{Object: "page", Position: int64(i + 1)}})
	}
	p.write(t, "out", first, n)
	return p
}

// configure writes the file, with settings as validate.repair, or without that.
func (p *plant) configure(t *testing.T, settings string) {
	t.Helper()
	text := `
admin: {address: off}
log: {level: error}
quarantine: {path: ` + p.dir + `/q.db}
routes:
  archive:
    source: {generate: {count: 1}}
    sink: {blob: {url: "file://` + p.dir + `/out", compression: plain}}
validate:
  expect: {cloud: {}}
  observe: {blob: {url: "file://` + p.dir + `/out"}}
`
	if settings != "" {
		text += "  repair:\n" + settings
	}
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func lost(i int) reading.Reading {
	return reading.Reading{
		Site: "plant1", Line: "line2", Device: fmt.Sprintf("press%d", i%3), Tag: "temperature", Quality: "good", Seq: uint64(i + 1),
		Time: time.Date(2026, 3, 1, 0, 0, 0, i, time.UTC).UnixNano() + int64(i)*int64(time.Second), Value: reading.OfFloat(20 + float64(i)/3),
	}
}

// write has an object hold readings.
func (p *plant) write(t *testing.T, dir string, from, to int) {
	t.Helper()
	var b []byte
	for i := from; i < to; i++ {
		r := lost(i)
		b = append(r.AppendJSON(b), '\n')
	}
	if err := os.WriteFile(filepath.Join(p.dir, dir, fmt.Sprintf("from%d.ndjson", from)), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// quarantined puts readings into the quarantine, each a message of a route.
func (p *plant) quarantined(t *testing.T, route string, payloads ...[]byte) {
	t.Helper()
	q, err := quarantine.Open(t.Context(), quarantine.Config{Feed: "feed", Path: p.dir + "/q.db", MaxBytes: feed.MiB, MaxMessages: 1000})
	if err != nil {
		t.Fatal(err)
	}
	var items []feed.QuarantineItem
	for _, payload := range payloads {
		items = append(items, feed.QuarantineItem{
			Original: feed.Original{Payload: payload, Format: feed.FormatWatermill, Properties: []byte("{}"), Origin: "queue q"},
			Route:    route, Stage: "blob", Reason: "a name was too long", Time: time.Date(2026, 3, 1, 1, 0, 0, 0, time.UTC),
		})
	}
	if err := errors.Join(q.Put(t.Context(), items), q.Close()); err != nil {
		t.Fatal(err)
	}
}

func payloadOf(i int) []byte {
	r := lost(i)
	return r.AppendJSON(nil)
}

// staying is a side that is asked again after it was closed.
type staying struct {
	*validatetest.Memory
	before func(context.Context, validate.Query) error
}

func (staying) Close() error { return nil }

func (s staying) Read(ctx context.Context, q validate.Query, take func(validate.Page) error) error {
	if s.before != nil {
		if err := s.before(ctx, q); err != nil {
			return err
		}
	}
	return s.Memory.Read(ctx, q, take)
}

// validate runs feed validate with all stages there are.
func (p *plant) validate(t *testing.T, flags ...string) (code int, stdout, stderr string) {
	t.Helper()
	return p.run(t, append(append([]string{"validate", p.file, "--repair-log", p.dir + "/log"}, hour...), flags...)...)
}

func (p *plant) run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	registry, err := feed.NewRegistry(append(stages.All(), validate.ExpectationFactory("cloud", "Knows.", func() nothing { return nothing{} },
		func(nothing, feed.StageEnv) (staying, error) { return staying{&p.cloud, p.before}, nil }),
		validate.ObservationFactory("stopping", "Is where a signal comes.", func() nothing { return nothing{} },
			func(nothing, feed.StageEnv) (stopping, error) { return stopping{&validatetest.Memory{}}, nil }))...)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	root := newCLI(registry, streams{strings.NewReader(""), &out, &errs}).rootCommand()
	root.SetArgs(args)
	err = root.ExecuteContext(context.WithoutCancel(t.Context()))
	if err != nil {
		errs.WriteString(message(err) + "\n")
	}
	return exitCode(err), out.String(), errs.String()
}

// logged counts the lines of the repair log by outcome and place.
func (p *plant) logged(t *testing.T) map[string]int {
	t.Helper()
	raw, err := os.ReadFile(p.dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for line := range strings.Lines(string(raw)) {
		var l repairLine
		if err := json.Unmarshal([]byte(line), &l); err != nil || l.At.IsZero() || l.Route != "archive" || l.Device == "" || l.Time.Year() != 2026 || l.Seq == 0 {
			t.Fatalf("line %s: %v", line, err)
		}
		n[strings.TrimSpace(string(l.Outcome)+" "+l.From)]++
	}
	return n
}

// TestValidateRepairs: what is missing is sent from the places in their order, and
// proven; what is nowhere is said to be, and the exit code is that of the second
// comparison. A second repair has nothing to do.
func TestValidateRepairs(t *testing.T) {
	p := newPlant(t, 100, 20)
	p.configure(t, `    {route: archive, from: {quarantine: {}, blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.quarantined(t, "archive", payloadOf(0), payloadOf(1), payloadOf(50), []byte("noise"))
	p.quarantined(t, "other", payloadOf(19))
	p.write(t, "edge", 1, 19)

	// A dry run changes nothing.
	code, stdout, stderr := p.validate(t, "--dry-run", "--repair-log", "")
	if code != exitFailure || !strings.Contains(stderr, "repair: 20 missing: 2 would be sent from quarantine, 17 would be sent from blob, 1 nowhere at the edge\n") || strings.Contains(stderr, "comparing again") {
		t.Fatalf("dry run: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, err := os.Stat(p.dir + "/log"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a dry run has a log: %v", err)
	}
	if objects, err := os.ReadDir(p.dir + "/out"); err != nil || len(objects) != 1 {
		t.Fatalf("a dry run wrote: %v, %v", objects, err)
	}
	if _, stdout, _ := p.run(t, "quarantine", "ls", "--config", p.file, "--state", "waiting"); !strings.Contains(stdout, "5 of 5 messages") {
		t.Errorf("a dry run marks:\n%s", stdout)
	}

	list, page := p.dir+"/list", p.dir+"/page.html"
	code, stdout, stderr = p.validate(t, "--repair", "--list", list, "--html", page)
	for _, want := range []string{"repair: 20 missing: 2 sent from quarantine, 17 sent from blob, 1 nowhere at the edge\n", "repair log: " + p.dir + "/log\n", "comparing again\n", "feed: discrepancies: 1 missing\n"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("%q is not in\n%s", want, stderr)
		}
	}
	if code != exitFailure || !strings.Contains(stdout, "1 reading is missing") {
		t.Fatalf("exit code %d\n%s", code, stdout)
	}
	lines, err := os.ReadFile(list)
	var d validate.Discrepancy
	if err := errors.Join(err, json.Unmarshal(lines, &d)); err != nil || d.Seq != 20 || d.Cause != "nowhere at the edge" {
		t.Errorf("list %s, %v", lines, err)
	}
	if html, err := os.ReadFile(page); err != nil || !bytes.Contains(html, []byte("owhere at the edge")) {
		t.Errorf("the page does not say why, %v", err)
	}
	if got, want := fmt.Sprint(p.logged(t)), fmt.Sprint(map[string]int{"nowhere": 1, "sent blob": 17, "sent quarantine": 2}); got != want {
		t.Errorf("log %s, want %s", got, want)
	}
	// Marked is what was sent, and nothing else.
	if _, stdout, _ := p.run(t, "quarantine", "ls", "--config", p.file, "--state", "replayed"); !strings.Contains(stdout, "2 of 5 messages") {
		t.Errorf("marked:\n%s", stdout)
	}
	if _, stdout, _ := p.run(t, "quarantine", "audit", "--config", p.file); !strings.Contains(stdout, "feed validate --repair") {
		t.Errorf("audit:\n%s", stdout)
	}

	code, _, stderr = p.validate(t, "--repair")
	if code != exitFailure || !strings.Contains(stderr, "repair: 1 missing: 1 nowhere at the edge\n") || strings.Contains(stderr, "comparing again") {
		t.Errorf("a second repair: exit code %d\n%s", code, stderr)
	}
	p.write(t, "edge", 19, 20)
	code, stdout, stderr = p.validate(t, "--repair")
	if code != exitOK || !strings.Contains(stderr, "1 sent from blob\n") || !strings.Contains(stdout, "Proven complete") {
		t.Errorf("the last one: exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr = p.validate(t, "--repair"); code != exitOK || !strings.Contains(stderr, "repair: nothing is missing\n") {
		t.Errorf("after all: exit code %d\n%s", code, stderr)
	}
}

// TestRepairLeavesWhatIsAltered: what is altered stays, and is no matter of a repair.
func TestRepairLeavesWhatIsAltered(t *testing.T) {
	p := newPlant(t, 10, 1)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	other := lost(0)
	other.Value = reading.OfInt(7)
	if err := os.WriteFile(p.dir+"/out/other.ndjson", append(other.AppendJSON(nil), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	p.write(t, "edge", 0, 10)
	code, _, stderr := p.validate(t, "--repair")
	if objects, err := os.ReadDir(p.dir + "/out"); code != exitFailure || !strings.Contains(stderr, "repair: nothing is missing\n") || !strings.Contains(stderr, "1 altered") || err != nil || len(objects) != 2 {
		t.Errorf("exit code %d, %v, %v\n%s", code, objects, err, stderr)
	}
}

// TestRepairGoesOnWithoutAPlace: one that cannot be read is told, the others are
// looked at, and it is no failure when these had all.
func TestRepairGoesOnWithoutAPlace(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/gone"}, quarantine: {}}}`)
	p.quarantined(t, "archive", payloadOf(0), payloadOf(1), payloadOf(2), payloadOf(3))
	code, stdout, stderr := p.validate(t, "--repair", "--json")
	var r validate.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Discrepancies) != 1 || r.Discrepancies[0].Cause != "not found at the edge, of which not all could be read" {
		t.Errorf("%v\n%s", err, stdout)
	}
	if code != exitFailure || !strings.Contains(stderr, "repair: from blob: ") || !strings.Contains(stderr, "4 sent from quarantine") || !strings.Contains(stderr, "repair from blob: ") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	p.quarantined(t, "archive", payloadOf(4))
	if code, _, stderr := p.validate(t, "--repair"); code != exitOK || !strings.Contains(stderr, "repair: from blob: ") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// TestRepairFromATornPlace: of what is missing still nobody says that it is nowhere when
// it may stand where a place cannot be read; when all was found it does not matter.
func TestRepairFromATornPlace(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.write(t, "edge", 0, 4)
	if err := os.WriteFile(p.dir+"/edge/torn.ndjson", payloadOf(4)[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := p.validate(t, "--repair", "--json")
	var r validate.Result
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Discrepancies) != 1 || r.Discrepancies[0].Cause != "not found at the edge, of which not all could be read" {
		t.Errorf("%v\n%s", err, stdout)
	}
	if code != exitFailure || !strings.Contains(stderr, "4 sent from blob") || !strings.Contains(stderr, "repair from blob: torn.ndjson") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	p.write(t, "edge", 4, 5)
	if code, _, stderr := p.validate(t, "--repair"); code != exitOK || strings.Contains(stderr, "torn") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// TestRepairIsStopped by a signal, with what it has sent; another one goes on.
func TestRepairIsStopped(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {quarantine: {}, stopping: {}}}`)
	p.quarantined(t, "archive", payloadOf(0), payloadOf(1))
	code, stdout, stderr := p.validate(t, "--repair")
	if code != exitUsage || !strings.Contains(stderr, "stopped during the repair: what was sent is sent") || stdout != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if got := fmt.Sprint(p.logged(t)); got != "map[sent quarantine:2]" {
		t.Errorf("log %s", got)
	}
	p.quarantined(t, "archive", payloadOf(2), payloadOf(3), payloadOf(4))
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitOK || !strings.Contains(stderr, "repair: 3 missing: 3 sent from quarantine\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestRepairIsTraced: what a repair sends stands in a ledger beside that of the feed,
// and what was not missing does not.
func TestRepairIsTraced(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`+"\nledger: {path: "+p.dir+"/ledger}\n")
	p.cloud.Put(validate.Record{Reading: lost(20), Place: validate.Place{Object: "page"}})
	p.write(t, "edge", 0, 10)
	p.write(t, "edge", 20, 21)
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitOK {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for i, sent := range map[int]bool{4: true, 8: false, 20: true} {
		r := lost(i)
		code, stdout, stderr := p.run(t, "trace", "--config", p.file, "--json", "--seq", fmt.Sprint(r.Seq), "--device", r.Device)
		if found := strings.Contains(stdout, `"outcome":`); found != sent || sent && (code != exitOK || !strings.Contains(stdout, `"outcome": "delivered"`) || !strings.Contains(stdout, `"source": "blob"`)) {
			t.Errorf("%d: exit code %d\n%s%s", i, code, stdout, stderr)
		}
	}
}

// TestRepairWithAState: a state that another run has kept, without what is missing,
// is not gone on with; and nothing is left behind.
func TestRepairWithAState(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.write(t, "edge", 0, 5)
	state := p.dir + "/state"
	if err := os.WriteFile(state, []byte(`{"format": "state of a validation, format 2", "job": "of an earlier run"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := p.validate(t, "--repair", "--state", state); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	left, err := filepath.Glob(state + "*")
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	// What was missing in a run that did not come to an end is missing in the next.
	m, err := repair.OpenMissing(t.Context(), state+".missing")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(m.Add(t.Context(), validate.Known{Device: "d", Tag: "t", Time: 1}, 1), m.Close()); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := p.validate(t, "--repair", "--state", state); code != exitOK || !strings.Contains(stderr, "nothing is missing") {
		t.Errorf("what was missing in a run that kept no state: exit code %d\n%s", code, stderr)
	}
}

// TestRepairIsUsedWrongly: each mistake is named before anything is read.
func TestRepairIsUsedWrongly(t *testing.T) {
	p := newPlant(t, 1, 0)
	for _, c := range []struct {
		settings string
		flags    []string
		want     string
	}{
		{`    {route: archive}`, []string{"--repair"}, "validate.repair.from: missing"},
		{`    {route: archives, from: {quarantine: {}}}`, []string{"--repair"}, `this file has no route "archives"`},
		{``, []string{"--repair"}, "does not say how to repair"},
		{`    {route: archive, from: {quarantine: {}}}`, nil, "--repair-log: nothing is repaired"},
		{`    {route: archive, from: {quarantine: {}}}`, []string{"--repair", "--repair-log", p.dir + "/no/log"}, "--repair-log: open"},
	} {
		p.configure(t, c.settings)
		if code, stdout, stderr := p.validate(t, c.flags...); code != exitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%s %v: exit code %d:\n%s%s", c.settings, c.flags, code, stdout, stderr)
		}
	}
}

// slowly has the configuration compare a few windows at a time, and keep what was
// found of each.
const slowly = "\n  window: 1s\n  maxCells: 9\n  maxRecords: 4"

// TestRepairGoesOnAfterASignal: what was found to be missing before a comparison was
// stopped is repaired by the run that goes on with it, and no more than is missing then.
func TestRepairGoesOnAfterASignal(t *testing.T) {
	p := newPlant(t, 100, 60)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`+slowly)
	p.write(t, "edge", 0, 60)
	state := p.dir + "/state"
	stop := time.Date(2026, 3, 1, 0, 0, 50, 0, time.UTC)
	p.before = func(ctx context.Context, q validate.Query) error {
		if q.From.Before(stop) {
			return nil
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	code, stdout, stderr := p.validate(t, "--repair", "--state", state)
	if code != exitUsage || !strings.Contains(stderr, "the same command goes on with what "+state+" keeps") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	p.before = nil
	code, stdout, stderr = p.validate(t, "--repair", "--state", state)
	if code != exitOK || !strings.Contains(stderr, "repair: 60 missing: 60 sent from blob\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestRepairOfWhatIsNotDecided: that a place cannot be read makes nothing certain of
// what is not.
func TestRepairOfWhatIsNotDecided(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/gone"}, quarantine: {}}}`)
	p.cloud.PutUnreadable(validate.Unreadable{Place: validate.Place{Object: "page 7"}, Err: errors.New("it is torn")})
	p.quarantined(t, "archive", payloadOf(0), payloadOf(1), payloadOf(2), payloadOf(3), payloadOf(4))
	code, stdout, stderr := p.validate(t, "--repair")
	if code != exitUsage || !strings.Contains(stderr, "not decided: ") || !strings.Contains(stderr, "repair from blob: ") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestConclude: the exit code is that of the verdict, whatever a place failed with.
func TestConclude(t *testing.T) {
	for _, r := range []*repairing{{}, {failed: &feed.ConfigError{Key: "url"}}, {failed: feed.ErrDrainDeadline}, {failed: failed(errors.New("torn"))}} {
		for _, v := range []struct {
			verdict error
			want    int
		}{{nil, exitOK}, {failed(errors.New("missing")), exitFailure}, {errors.New("not decided"), exitUsage}} {
			err := r.conclude(v.verdict)
			if got := exitCode(err); got != v.want {
				t.Errorf("%v after %v: exit code %d, want %d", v.verdict, r.failed, got, v.want)
			}
			if err != nil && r.failed != nil && !strings.Contains(err.Error(), r.failed.Error()) {
				t.Errorf("%q does not say %q", err, r.failed)
			}
		}
	}
}

// TestRepairIsStoppedBeforeAllIsComparedAgain: what it says is what is so: nothing of the
// comparison is kept, and what was sent is sent.
func TestRepairIsStoppedBeforeAllIsComparedAgain(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.write(t, "edge", 0, 5)
	p.before = func(ctx context.Context, _ validate.Query) error {
		if _, err := os.Stat(p.dir + "/log"); err != nil {
			return err
		}
		if log, err := os.ReadFile(p.dir + "/log"); err != nil || len(log) == 0 {
			return err // nothing was sent yet
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	}
	code, stdout, stderr := p.validate(t, "--repair", "--state", p.dir+"/state")
	if code != exitUsage || !strings.Contains(stderr, "stopped after the repair, before all was compared again: what was sent is sent") || strings.Contains(stderr, "keeps") || stdout != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	p.before = nil
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitOK || !strings.Contains(stderr, "repair: nothing is missing\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestRepairSendsNothingUndecided: of what may stand where nothing can be read none is
// sent, and nobody says that nothing is missing.
func TestRepairSendsNothingUndecided(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.write(t, "edge", 0, 5)
	if err := os.WriteFile(p.dir+"/out/torn.ndjson", payloadOf(4)[:20], 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := p.validate(t, "--repair")
	if code != exitUsage || !strings.Contains(stderr, "repair: nothing is missing; 5 undecided, of which nothing is sent\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestOneRepairAtATime: another one would send the same readings; a dry run sends none.
func TestOneRepairAtATime(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.write(t, "edge", 0, 5)
	other, err := openRepairLog(p.dir+"/log", "", "archive")
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitUsage || !strings.Contains(stderr, "another repair writes "+p.dir+"/log") || stdout != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := p.validate(t, "--dry-run", "--repair-log", ""); code != exitFailure || !strings.Contains(stderr, "5 would be sent from blob") {
		t.Errorf("a dry run: exit code %d\n%s", code, stderr)
	}
	if err := other.close(); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	null, err := openRepairLog(os.DevNull, "", "archive") // of which there is no other
	if err != nil || null.lock != nil {
		t.Fatalf("%+v, %v", null, err)
	}
	if err := null.close(); err != nil {
		t.Error(err)
	}
}

// TestRepairBesideALiveValidator is refused while a feed has its directory, for it would
// wait until the feed ends.
func TestRepairBesideALiveValidator(t *testing.T) {
	p := newPlant(t, 10, 5)
	p.configure(t, `    {route: archive, from: {blob: {url: "file://`+p.dir+`/edge"}}}`)
	p.write(t, "edge", 0, 5)
	text, err := os.ReadFile(p.file)
	if err != nil {
		t.Fatal(err)
	}
	const sink = "    sink: "
	live := strings.Replace(string(text), sink+"{", sink+"{all: [{", 1)
	live = strings.Replace(live, "compression: plain}}", "compression: plain}}, {validator: {path: "+p.dir+"/live, expect: {cloud: {}}}}]}", 1)
	if err := os.WriteFile(p.file, []byte(live), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.dir+"/live", 0o700); err != nil {
		t.Fatal(err)
	}
	running, err := filelock.Take(p.dir + "/live/lock")
	if err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitUsage || !strings.Contains(stderr, "stop the feed, or write validate.repair.sink") || stdout != "" {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if err := running.Close(); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := p.validate(t, "--repair"); code != exitOK {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// TestRepairLogAfterAKill: what a repair has left of a line takes nothing of the next with
// it.
func TestRepairLogAfterAKill(t *testing.T) {
	path := t.TempDir() + "/log"
	for _, was := range []string{"", "{}\n", `{"at":`} {
		if err := os.WriteFile(path, []byte(was), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := openRepairLog(path, "", "archive")
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(l.add("edge", []validate.Known{{Device: "press7"}}, repair.Sent), l.close()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
		if last := lines[len(lines)-1]; err != nil || !json.Valid([]byte(last)) || !strings.Contains(last, "press7") || len(lines) > 2 {
			t.Errorf("after %q: %q, %v", was, b, err)
		}
	}
}
