package unbatch_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/feedtest"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/batch"
	"github.com/kraft-edge/datafeed/stages/unbatch"
)

// nothing is the configuration of stages that need none.
type nothing struct{}

func (*nothing) Validate() error { return nil }
func (*nothing) Durable() bool   { return true }

// example returns the configuration that the package's comment shows.
func example(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, text, found := strings.Cut(string(source), "// # Configuration\n//\n")
	if !found {
		t.Fatal("doc.go has no section Configuration")
	}
	text, _, _ = strings.Cut(text, "package unbatch")
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, "          "+strings.TrimPrefix(line, "//\t"))
	}
	return strings.Join(lines, "")
}

// TestExample runs a route with the configuration of the package's comment, twice:
// the second time one batch comes again and another contradicts it.
func TestExample(t *testing.T) {
	t.Setenv("STATE", filepath.Join(t.TempDir(), "feed"))
	make := func(sequence uint64, value float64) string {
		rs := []reading.Reading{
			{Site: "plant1", Line: "line2", Device: "press7", Tag: "temperature", Value: reading.OfFloat(value), Quality: "good", Seq: 1},
			{Site: "plant1", Line: "line2", Device: "press7", Tag: "running", Value: reading.OfBool(true), Quality: "good", Seq: 2},
		}
		frame, err := batch.Append(nil, batch.Columnar(), "press7", sequence, rs)
		if err != nil {
			t.Fatal(err)
		}
		return string(frame)
	}
	delivered, conflict, next := make(1, 20), make(1, 21), make(2, 20)

	taken, refused := run(t, delivered, "no batch")
	if len(taken) != 2 || !strings.Contains(taken[0], `"tag":"temperature"`) || !strings.Contains(taken[1], `"tag":"running"`) {
		t.Errorf("the sink got %q", taken)
	}
	if len(refused) != 1 || string(refused[0].Payload) != "no batch" || !strings.Contains(refused[0].Reason, "format") {
		t.Errorf("the quarantine got %+v", refused)
	}
	taken, refused = run(t, delivered, conflict, next)
	if len(taken) != 4 {
		t.Errorf("the sink got %q", taken)
	}
	if len(refused) != 1 || string(refused[0].Payload) != conflict || !strings.Contains(refused[0].Reason, "conflict") {
		t.Errorf("the quarantine got %+v", refused)
	}
}

// TestTestsTouchNoFile: transforms that are made for a test of the configuration
// leave the cache of the configuration alone.
func TestTestsTouchNoFile(t *testing.T) {
	state := filepath.Join(t.TempDir(), "feed")
	t.Setenv("STATE", state)
	c := parse(t, &feedtest.Queue{}, &feedtest.Sink{})
	transforms, err := c.Transforms(c.Routes[0], slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rs := []reading.Reading{{Device: "press7", Tag: "temperature"}}
	frame, err := batch.Append(nil, batch.Columnar(), "press7", 1, rs)
	if err != nil {
		t.Fatal(err)
	}
	m := &message.Message{Payload: frame}
	if msgs, err := transforms[0].Func(m); err != nil || len(msgs) != 1 {
		t.Errorf("%d messages, %v", len(msgs), err)
	}
	transforms[0].Settled([]feed.Settled{{Message: m, Outcome: feed.Delivered}})
	if err := transforms[0].Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(state); !os.IsNotExist(err) {
		t.Errorf("the directory of the cache is there: %v", err)
	}
}

// TestFileOfAnother: the cache may be shared by routes, but not with the quarantine.
func TestFileOfAnother(t *testing.T) {
	t.Setenv("STATE", "/var/lib/feed")
	text := configuration(t)
	again := strings.Replace(text, "routes:\n", "routes:\n  again: {source: {queue: {}}, transforms: [{unbatch: {cache: {path: /var/lib/feed/batches.db}}}], sink: {sink: {}}}\n", 1)
	if _, err := config.Parse("feed.yaml", []byte(again), registry(t, &feedtest.Queue{}, &feedtest.Sink{}), os.LookupEnv); err != nil {
		t.Errorf("two routes with one cache: %v", err)
	}
	text = "quarantine: {path: /var/lib/feed/batches.db}\n" + text
	_, err := config.Parse("feed.yaml", []byte(text), registry(t, &feedtest.Queue{}, &feedtest.Sink{}), os.LookupEnv)
	if want := "unbatch: writes to /var/lib/feed/batches.db, as the quarantine does"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// parse reads a configuration of a route with what the package's comment shows.
func parse(t *testing.T, q *feedtest.Queue, sink *feedtest.Sink) *config.Config {
	t.Helper()
	text := configuration(t)
	c, err := config.Parse("feed.yaml", []byte(text), registry(t, q, sink), os.LookupEnv)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// registry returns this stage, and a source and a sink of tests.
func registry(t *testing.T, q *feedtest.Queue, sink *feedtest.Sink) *feed.Registry {
	t.Helper()
	factories := append(unbatch.Factories(),
		feed.SourceFactory("queue", "", func() nothing { return nothing{} }, func(nothing, feed.StageEnv) (message.Subscriber, error) { return q, nil }),
		feed.SinkFactory("sink", "", func() nothing { return nothing{} }, func(nothing, feed.StageEnv) (message.Publisher, error) { return sink, nil }))
	registry, err := feed.NewRegistry(factories...)
	if err != nil {
		t.Fatal(err)
	}
	return registry
}

// configuration has a route with what the package's comment shows.
func configuration(t *testing.T) string {
	t.Helper()
	return `
name: example
routes:
  ingest:
    source: {queue: {}}
    transforms:
      -
` + example(t) + `
    sink: {sink: {}}
`
}

// run sends payloads through a route, and returns what got out of it.
func run(t *testing.T, payloads ...string) ([]string, []feed.QuarantineItem) {
	t.Helper()
	q, sink, quarantine := &feedtest.Queue{}, &feedtest.Sink{}, &feedtest.Quarantine{}
	q.Put(payloads...)
	q.End()
	c := parse(t, q, sink)
	opts, routes, err := c.Build(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	opts.Quarantine = quarantine
	f, err := feed.New(opts, routes...)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sink.Taken(), quarantine.Items()
}
