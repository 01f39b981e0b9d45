package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
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
		s := feed.Status{Feed: "plant", Routes: []feed.RouteStatus{{Name: "archive", Offsets: &o}}}
		if err := writeStatus(&out, s, "", time.Now()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s\nlacks\n%s", out.String(), want)
		}
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
