package postgres

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// TestClocks: a wrong clock, of the feed or of the server, neither drops partitions
// nor refuses readings, and is told about once.
func TestClocks(t *testing.T) {
	for name, tt := range map[string]struct{ feed, server time.Duration }{
		"feed ahead":    {feed: 400 * day},
		"feed behind":   {feed: -20_000 * day},
		"server ahead":  {server: 400 * day},
		"server behind": {server: -20_000 * day},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, func(c *Config) { c.Retention = 3 * day })
			mustPublish(t, s, at(noon, 1), at(noon.Add(-2*day), 2))
			var log logged
			s.writer.logger = slog.New(slog.NewTextHandler(&log, nil))
			feedNow, serverNow := noon.Add(tt.feed+upkeepInterval), noon.Add(tt.server+upkeepInterval)
			s.now = func() time.Time { return feedNow }
			s.writer.clocks.ask = func(context.Context, *session) (time.Time, error) { return serverNow, nil }
			s.writer.nextUpkeep = time.Time{}
			mustPublish(t, s, at(noon, 3))
			feedNow, serverNow = feedNow.Add(upkeepInterval), serverNow.Add(upkeepInterval)
			mustPublish(t, s, at(noon, 4), at(noon.Add(-2*day), 5))
			checkStored(t, s.config, at(noon, 1), at(noon.Add(-2*day), 2), at(noon, 3), at(noon, 4), at(noon.Add(-2*day), 5))
			if n := strings.Count(log.text.String(), "the clocks of the feed and of the server differ"); n != 1 {
				t.Errorf("logged %d times: %s", n, log.text.String())
			}
			// The wrong clock alone does not let everything pass.
			fs := failuresOf(t, s, at(noon.Add(-5*day), 6), at(noon.Add(2*day), 7), at(noon, 8))
			if len(fs) != 2 || fs[0].Index != 0 || fs[1].Index != 1 {
				t.Errorf("failures %v, want those of 0 and 1", fs)
			}
			// When it has been set, its word counts again, and it may go wrong again.
			feedNow, serverNow = noon.Add(4*day), noon.Add(4*day+maxApart)
			s.writer.nextUpkeep = time.Time{}
			mustPublish(t, s, at(feedNow, 9))
			if got := partitionsOf(t, s.config); strings.Contains(got, "20261119") {
				t.Errorf("partitions %s: the old one is kept", got)
			}
			serverNow = serverNow.Add(1)
			s.writer.nextUpkeep = time.Time{}
			mustPublish(t, s, at(feedNow, 10))
			if n := strings.Count(log.text.String(), "the clocks of the feed and of the server differ"); n != 2 {
				t.Errorf("logged %d times: %s", n, log.text.String())
			}
		})
	}
}

// TestServerTime: a sink asks the server, and what has passed since counts.
func TestServerTime(t *testing.T) {
	c := newSink(t, nil).config
	s, err := NewSink(c, feed.StageEnv{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	mustPublish(t, s, at(now, 1))
	if d := s.writer.clocks.serverNow(now.Add(time.Hour)).Sub(now) - time.Hour; d.Abs() > time.Minute {
		t.Errorf("the server's time is taken to be %v off", d)
	}
	if want := query[time.Time](t, c, `SELECT now()`).Sub(s.writer.clocks.server); want < 0 || want > time.Minute {
		t.Errorf("the server was asked %v ago", want)
	}
}
