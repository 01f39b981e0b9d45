package config_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

func TestBuild(t *testing.T) {
	var made []*place
	c, err := config.Parse("feed.yaml", []byte(`
name: line-1
drainTimeout: 3s
routes:
  a:
    source: {queue: {queue: q}}
    transforms: [{bridge: {}}, {bridge: {}}]
    sink: {all: [{place: {}}, {place: {name: two}}]}
    order: key
    orderKey: "{site}/{device}"
  b:
    source: {queue: {queue: r, ackLimit: 60s}}
    sink: {place: {}}
`), registry(t, &made), environment)
	if err != nil {
		t.Fatal(err)
	}
	opts, routes, err := c.Build(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if opts.Name != "line-1" || opts.DrainTimeout != c.DrainTimeout || opts.Quarantine != nil || opts.Logger == nil {
		t.Errorf("options: %+v", opts)
	}
	if len(routes) != 2 || len(made) != 7 {
		t.Fatalf("%d routes of %d stages", len(routes), len(made))
	}
	a := routes[0]
	if a.Name != "a" || a.SourceName != "queue" || a.SinkName != "place+place" || len(a.Transforms) != 2 || a.Transforms[1].Name != "bridge" {
		t.Errorf("route a: %+v", a)
	}
	m := message.NewMessage("", nil)
	m.Metadata = message.Metadata{"site": "s", "device": "d", "topic": "t"}
	if a.Key(m) != "s/d" || routes[1].Key(m) != "t" {
		t.Errorf("keys %q and %q", a.Key(m), routes[1].Key(m))
	}
	if _, ok := routes[1].Sink.(*place); !ok {
		t.Errorf("a single sink became %T", routes[1].Sink)
	}
	if a.MaxHold != 10*time.Minute || routes[1].MaxHold != 48*time.Second {
		t.Errorf("deliveries held for %v and %v", a.MaxHold, routes[1].MaxHold)
	}
	if routes[1].Order != feed.OrderWire {
		t.Errorf("order %q", routes[1].Order)
	}
}

// TestBuildFails checks that nothing stays open when a stage cannot be made.
func TestBuildFails(t *testing.T) {
	var made []*place
	c, err := config.Parse("feed.yaml", []byte(`
routes:
  a: {source: {queue: {queue: q}}, sink: {place: {}}}
  b: {source: {queue: {queue: r}}, sink: {place: {fail: true}}}
`), registry(t, &made), environment)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Build(slog.New(slog.DiscardHandler))
	var ce *config.Error
	if want := "feed.yaml:4:43: routes.b.sink.place.name: cannot be reached from here"; !errors.As(err, &ce) || ce.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if len(made) != 3 {
		t.Errorf("%d stages were made", len(made))
	}
	for _, p := range made {
		if p.closed != 1 {
			t.Errorf("a stage was closed %d times", p.closed)
		}
	}
}

// TestCheckStages checks that the stages of every route are made, and that all
// are closed.
func TestCheckStages(t *testing.T) {
	var made []*place
	c, err := config.Parse("feed.yaml", []byte(`
routes:
  a: {source: {queue: {queue: q}}, sink: {place: {fail: true}}}
  b: {source: {queue: {queue: r}}, sink: {place: {}}}
  c: {source: {queue: {queue: s}}, sink: {place: {fail: true}}}
`), registry(t, &made), environment)
	if err != nil {
		t.Fatal(err)
	}
	const want = "feed.yaml:3:43: routes.a.sink.place.name: cannot be reached from here\nfeed.yaml:5:43: routes.c.sink.place.name: cannot be reached from here"
	if err := c.CheckStages(); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if len(made) != 4 {
		t.Errorf("%d stages were made", len(made))
	}
	for _, p := range made {
		if p.closed != 1 {
			t.Errorf("a stage was closed %d times", p.closed)
		}
	}
}
