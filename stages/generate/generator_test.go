package generate

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/reading/readingtest"
)

func TestGeneratorFollowsFromSeed(t *testing.T) {
	run := func(seed int64) string {
		c := DefaultConfig()
		c.Seed, c.Start, c.Rate = seed, "2026-01-01T00:00:00Z", 0
		g, err := NewGenerator(c)
		if err != nil {
			t.Fatal(err)
		}
		var all []byte
		for range 1000 {
			r := g.Next()
			all = AppendJSON(all, &r, 0)
		}
		return string(all)
	}
	first, again, other := run(1), run(1), run(2)
	if first != again {
		t.Error("the same seed made other readings")
	}
	if first == other {
		t.Error("another seed made the same readings")
	}
}

func TestSequencesHaveNoGaps(t *testing.T) {
	c := DefaultConfig()
	c.Devices, c.Lines = 7, 3
	g, err := NewGenerator(c)
	if err != nil {
		t.Fatal(err)
	}
	last, lines := map[string]uint64{}, map[string]bool{}
	for range 1000 {
		r := g.Next()
		if r.Seq != last[r.Device]+1 {
			t.Fatalf("device %s: seq %d after %d", r.Device, r.Seq, last[r.Device])
		}
		last[r.Device] = r.Seq
		lines[r.Line] = true
	}
	if len(last) != 7 || len(lines) != 3 {
		t.Errorf("%d devices, %d lines", len(last), len(lines))
	}
}

func TestReadingRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := readingtest.Readings().Draw(t, "reading")
		want.Seq = max(want.Seq, 1)
		least := rapid.IntRange(0, 1000).Draw(t, "least")
		payload := AppendJSON([]byte("before"), &want, least)[len("before"):]
		if len(payload) < least || !json.Valid(payload) {
			t.Fatalf("payload of %d bytes, at least %d: %s", len(payload), least, payload)
		}
		before := bytes.Clone(payload)
		got, err := ParseReading(payload)
		if err != nil {
			t.Fatal(err)
		}
		if got != want || !bytes.Equal(payload, before) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	})
}

func TestParseReadingRefuses(t *testing.T) {
	r := reading.Reading{Device: "d", Tag: "t", Seq: 1}
	for old, wrong := range map[string]string{`"seq":1`: `"seq":0`, `xx"}`: `xy"}`, `"}`: `"} `, `"pad"`: `"bad"`} {
		payload := strings.Replace(string(AppendJSON(nil, &r, 300)), old, wrong, 1)
		if got, err := ParseReading([]byte(payload)); err == nil {
			t.Errorf("%s was parsed: %+v", payload, got)
		}
	}
}

func TestPaddingIsExact(t *testing.T) {
	r := reading.Reading{Device: "d", Seq: 1}
	plain := len(AppendJSON(nil, &r, 0))
	for least := plain + len(`,"pad":""`); least < plain+50; least++ {
		if n := len(AppendJSON(nil, &r, least)); n != least {
			t.Errorf("at least %d bytes: %d", least, n)
		}
	}
}

func FuzzParseReading(f *testing.F) {
	r := reading.Reading{Device: "d", Tag: "t", Seq: 1}
	f.Add(AppendJSON(nil, &r, 200))
	f.Add([]byte(`{"device":"d","seq":1} x`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := ParseReading(payload)
		if err == nil && (r.Device == "" || r.Seq == 0) {
			t.Errorf("parsed %+v", r)
		}
	})
}

func TestValidate(t *testing.T) {
	for key, edit := range map[string]func(*Config){
		"site":         func(c *Config) { c.Site = "a.b" },
		"lines":        func(c *Config) { c.Lines = 0 },
		"devices":      func(c *Config) { c.Devices = -1 },
		"tags":         func(c *Config) { c.Tags, c.Devices = 10_000, 10_000 },
		"rate":         func(c *Config) { c.Rate = -1 },
		"count":        func(c *Config) { c.Count = -1 },
		"payloadBytes": func(c *Config) { c.PayloadBytes = 1 << 30 },
		"window":       func(c *Config) { c.WindowSize = 0 },
		"start":        func(c *Config) { c.Start = "yesterday" },
	} {
		c := DefaultConfig()
		if err := c.Validate(); err != nil {
			t.Fatalf("the defaults: %v", err)
		}
		edit(&c)
		var ce *feed.ConfigError
		if err := c.Validate(); !errors.As(err, &ce) || ce.Key != key {
			t.Errorf("%s: %v", key, err)
		}
		if _, err := NewSource(c, feed.StageEnv{}); err == nil {
			t.Errorf("%s: a source was made", key)
		}
	}
}

func TestAppendJSONDoesNotAllocate(t *testing.T) {
	g, err := NewGenerator(DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 1000)
	if n := testing.AllocsPerRun(1000, func() {
		r := g.Next()
		buf = AppendJSON(buf[:0], &r, 200)
	}); n != 0 {
		t.Errorf("%v allocations a reading", n)
	}
}

func BenchmarkReceive(b *testing.B) {
	c := DefaultConfig()
	c.Rate = 0
	s, err := NewSource(c, feed.StageEnv{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	u, err := s.SubscribeBatch(b.Context(), "")
	if err != nil {
		b.Fatal(err)
	}
	const batch = 1000
	var deliveries []feed.Delivery
	settlements := make([]feed.Settlement, batch)
	b.ReportAllocs()
	for b.Loop() {
		if deliveries, err = u.Receive(b.Context(), deliveries[:0], batch); err != nil || len(deliveries) != batch {
			b.Fatal(len(deliveries), err)
		}
		for i, d := range deliveries {
			settlements[i] = feed.Settlement{Tag: d.Tag, Outcome: feed.Delivered}
		}
		if err := u.Settle(b.Context(), settlements); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/message")
}

func TestRoutingKey(t *testing.T) {
	r := reading.Reading{Site: "s", Line: "l", Device: "d", Tag: "t"}
	if got := routingKey(&r); got != "telemetry.s.l.d.t" {
		t.Error(got)
	}
}
