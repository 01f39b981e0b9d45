package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/admin"
	"github.com/kraft-edge/datafeed/plugins/host"
)

func TestStatusShowsOffsets(t *testing.T) {
	for want, o := range map[string]feed.OffsetStatus{
		"archive: stream telemetry, generation 1: stored up to offset 1999, received up to offset 2400\n": {
			Stream: "telemetry", Generation: 1, Committed: 1999, Received: 2400,
		},
		"archive: stream telemetry, generation 2: stored nothing, received nothing; at 7 offsets there was no message any more; generations that began because the stream was another one: 1\n": {
			Stream: "telemetry", Generation: 2, Committed: -1, Received: -1, Missing: 7, Renewed: 1,
		},
	} {
		var out bytes.Buffer
		s := admin.Status{Status: feed.Status{Feed: "plant", Routes: []feed.RouteStatus{{Name: "archive", Offsets: &o}}}}
		if err := writeStatus(&out, s, "", time.Now()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks\n%s", out.String(), want)
		}
	}
}

// TestStatusShowsReasons: a number in the table has its reasons below.
func TestStatusShowsReasons(t *testing.T) {
	var out bytes.Buffer
	a := feed.Account{
		Received: 40, Filtered: map[string]uint64{"already stored": 1},
		Returned:    map[string]uint64{"sink down": 12, "stopped": 2, "held for long": 12, "a": 1, "b": 1, "c": 1, "d": 1},
		Quarantined: map[string]uint64{"bridge": 1}, Delivered: 8,
	}
	s := admin.Status{Status: feed.Status{Feed: "plant", Routes: []feed.RouteStatus{{Name: "archive", Deliveries: a}, {Name: "quiet"}}}}
	if err := writeStatus(&out, s, "", time.Now()); err != nil {
		t.Fatal(err)
	}
	want := "archive: filtered: already stored 1; returned: held for long 12, sink down 12, stopped 2, a 1, b 1, other reasons: 2\n"
	if !strings.Contains(out.String(), want) || strings.Contains(out.String(), "quiet:") || !strings.Contains(out.String(), "1 of 40 messages went") {
		t.Errorf("%s\nlacks\n%s", out.String(), want)
	}
}

func TestStatusShowsEvents(t *testing.T) {
	all := []feed.StageEvent{
		{Kind: feed.KindSource, Stage: "mqtt", Event: "connected", Count: 3},
		{Kind: feed.KindSource, Stage: "mqtt", Event: "qos0_lost", Count: 0},
		{Kind: feed.KindSource, Stage: "mqtt", Event: "session_lost", Count: 1},
		{Kind: feed.KindSink, Stage: "amqp", Event: "blocked", Count: 2},
	}
	if got, want := events(all), "source mqtt: connected 3, session lost 1; sink amqp: blocked 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := events(all[1:2]); got != "" {
		t.Errorf("nothing has happened, but it says %q", got)
	}
}

// TestStatusShowsPlugins: a line for each, why one does not run, and why one that does has ended before.
func TestStatusShowsPlugins(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	budget := func(used int) host.Budget { return host.Budget{Used: used, Restarts: 5, Within: 10 * time.Minute} }
	stages := []host.Stage{{Kind: feed.KindTransform, Name: "round"}, {Kind: feed.KindCodec, Name: "acme"}}
	s := admin.Status{Status: feed.Status{Feed: "plant", Routes: []feed.RouteStatus{{Name: "archive"}}}, Plugins: []host.Plugin{
		{Name: "acme", Path: "plugins/acme", Stages: stages, State: host.StateRunning, Since: now.Add(-time.Minute), Budget: budget(0)},
		{Name: "scale.pyz", Path: "scale.pyz", Stages: stages[:1], State: host.StateRunning, Since: now.Add(-time.Second), Budget: budget(1), LastEnd: "exit status 3"},
		{Name: "old", Path: "old", State: host.StateLeftAlone, Since: now, Budget: budget(5), LastEnd: "signal: killed", Error: "it was started again 5 times because of: signal: killed"},
		{Name: "SHA256SUMS:2", Path: "plugins", State: host.StateRefused, Since: now, Error: "is no line of sha256sum"},
	}}
	var out bytes.Buffer
	if err := writeStatus(&out, s, "", now); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`
PLUGIN        STATE       FOR   RESTARTS         PATH          STAGES
acme          running     1m0s  0 of 5 in 10m0s  plugins/acme  transform round, codec acme
scale.pyz     running     1s    1 of 5 in 10m0s  scale.pyz     transform round
old           left alone  0s    5 of 5 in 10m0s  old           
SHA256SUMS:2  refused     0s                     plugins       

`, `
plugin scale.pyz: ended the last time because of: exit status 3
plugin old:
  it was started again 5 times because of: signal: killed
plugin SHA256SUMS:2:
  is no line of sha256sum
every message is accounted for
`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks\n%s", out.String(), want)
		}
	}
}
