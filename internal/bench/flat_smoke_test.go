package main

import (
	"context"
	"strings"
	"testing"
)

// testFlat runs the sweeps that differ from a path, as far as they do.
func testFlat(ctx context.Context, t *testing.T, s *stand) {
	var out strings.Builder
	const n = 2000
	l := load{messages: n, payloadBytes: 200, devices: 50}
	routes, backlog := routeSweep(l), backlogSweep(l, 20_000)
	routes.values = routes.values[1:2]
	for _, sw := range []sweep{routes, backlog} {
		r, err := measureSweep(ctx, s, sw, 1, &out)
		if err != nil {
			t.Fatal(err)
		}
		for i, m := range r.rounds[0] {
			// A part of a backlog may be a little more.
			v := sw.values[i]
			if n := v.load.messages; m.messages < n || m.messages > n && !v.standing() || m.cpu <= 0 || m.peak.rss < 1<<20 {
				t.Errorf("%s, %s: %+v", sw.title, v.label, m)
			}
		}
		if len(r.rounds) != 1 || len(r.rounds[0]) != len(sw.values) {
			t.Errorf("%s: %d rounds", sw.title, len(r.rounds))
		}
		for _, v := range sw.values {
			if _, err := s.queues(v.path).held(ctx); err == nil {
				t.Errorf("%s: the queues of %s are still there", sw.title, v.label)
			}
		}
	}
	// A backlog that is too small is no measurement.
	short := backlogSweep(l, n+1).values[1]
	if err := s.stockUp(ctx, short); err != nil {
		t.Fatal(err)
	}
	if _, err := s.measure(ctx, short, false); err == nil || !strings.Contains(err.Error(), "-backlog") {
		t.Errorf("of a small backlog: %v", err)
	}
	if err := s.queues(short.path).remove(); err != nil {
		t.Error(err)
	}
	t.Log("\n" + out.String())
}
