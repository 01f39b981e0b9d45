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
