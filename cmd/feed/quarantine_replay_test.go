package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/generate"
	"github.com/kraft-edge/datafeed/stages/http"
	"github.com/kraft-edge/datafeed/stages/mqtt"
	"github.com/kraft-edge/datafeed/stages/quarantine"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// TestEverySourceCanBeReplayed reminds authors of sources: what they describe
// for the quarantine must become a message again.
func TestEverySourceCanBeReplayed(t *testing.T) {
	c, err := initializeCLI(streams{strings.NewReader(""), &strings.Builder{}, &strings.Builder{}})
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]string{"amqp": amqp.Format, "generate": generate.Format, "http": http.Format, "mqtt": mqtt.Format, "simulate": simulate.Format}
	for _, f := range c.registry.Factories(feed.KindSource) {
		if restorers[formats[f.Name]] == nil {
			t.Errorf("nothing restores the messages of the source %s: write a Restore beside its Describe, and add it to restorers and to this test", f.Name)
		}
	}
	if _, err := restore(feed.Original{Format: "unknown"}); err == nil {
		t.Error("a message of an unknown format was restored")
	}
}

func TestReplayHasClientIdentifiersOfItsOwn(t *testing.T) {
	c, err := initializeCLI(streams{strings.NewReader(""), &strings.Builder{}, &strings.Builder{}})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("feed.yaml", []byte(`
routes:
  a: {source: {generate: {}}, sink: {all: [{mqtt: {url: "mqtt://b", clientId: feed-1}}, {mqtt: {url: "mqtt://c"}}]}}
`), c.registry, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	besideTheFeed(cfg.Routes)
	var ids []string
	for _, s := range cfg.Routes[0].Sink {
		ids = append(ids, s.Config.(*mqtt.Config).ClientID)
	}
	if !slices.Equal(ids, []string{"feed-1-replay", ""}) {
		t.Errorf("client identifiers %q", ids)
	}
}

// TestReplayThatCannotMark checks that messages that were sent but could not be
// marked are told, and not counted as replayed. It waits for the tries.
func TestReplayThatCannotMark(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "feed.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
admin: {address: off}
quarantine: {path: %[1]q}
routes:
  telemetry: {source: {generate: {}}, sink: {blob: {url: %[2]q}}}
`, filepath.Join(dir, "q.db"), "file://"+filepath.Join(dir, "out")), 0o600); err != nil {
		t.Fatal(err)
	}
	place, err := placeIn(file, "")
	if err != nil {
		t.Fatal(err)
	}
	c := quarantine.DefaultConfig()
	c.Feed, c.Path = place.Feed, place.Path
	s, err := quarantine.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), []feed.QuarantineItem{quarantined(t, amqp.Properties{}, `{"a":1}`), quarantined(t, amqp.Properties{}, `{"a":2}`)}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", place.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(`CREATE TRIGGER refuse BEFORE UPDATE ON quarantine BEGIN SELECT RAISE(ABORT, 'as told'); END`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	out, errs := runs(t, exitFailure, "quarantine", "replay", "--config", file, "--all")
	if !strings.HasPrefix(out, "route telemetry: 0 of 2 messages replayed, 2 sent but not marked\n") ||
		!strings.Contains(errs, "2 messages were sent, but could not be marked, so that the next replay sends them again: ") || !strings.Contains(errs, "as told") {
		t.Errorf("printed %s%s", out, errs)
	}
}
