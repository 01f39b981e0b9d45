package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/generate"
	"github.com/kraft-edge/datafeed/stages/http"
	"github.com/kraft-edge/datafeed/stages/mqtt"
)

// TestEverySourceCanBeReplayed reminds authors of sources: what they describe
// for the quarantine must become a message again.
func TestEverySourceCanBeReplayed(t *testing.T) {
	c, err := initializeCLI(streams{strings.NewReader(""), &strings.Builder{}, &strings.Builder{}})
	if err != nil {
		t.Fatal(err)
	}
	formats := map[string]string{"amqp": amqp.Format, "generate": generate.Format, "http": http.Format, "mqtt": mqtt.Format}
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
