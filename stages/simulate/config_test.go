package simulate

import (
	"errors"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

func TestValidate(t *testing.T) {
	for key, edit := range map[string]func(*Config){
		"sites":          func(c *Config) { c.Sites = nil },
		"sites[1]":       func(c *Config) { c.Sites = []string{"a", "a.b"} },
		"sites[2]":       func(c *Config) { c.Sites = []string{"a", "b", "a"} },
		"lines":          func(c *Config) { c.Lines = 0 },
		"devices":        func(c *Config) { c.Devices = -1 },
		"tags":           func(c *Config) { c.Tags, c.Devices = 10_000, 10_000 },
		"rate":           func(c *Config) { c.Rate = -1 },
		"period":         func(c *Config) { c.Period = 0 },
		"count":          func(c *Config) { c.Count = -1 },
		"start":          func(c *Config) { c.Start = "2300-01-01T00:00:00Z" },
		"batch.readings": func(c *Config) { c.Batch.Readings = 0 },
		"batch.every":    func(c *Config) { c.Batch.Every = 0 },
		"codec":          func(c *Config) { c.Codec = "zip" },
		"chaos.corrupt":  func(c *Config) { c.Chaos.Corrupt = 1.1 },
		"chaos.conflict": func(c *Config) { c.Chaos.Conflict = -0.1 },
		"chaos.drift":    func(c *Config) { c.Chaos.Drift = 0.02 },
		"chaos.within":   func(c *Config) { c.Chaos.Within = 0 },
		"chaos.skew":     func(c *Config) { c.Chaos.Skew = -time.Second },
		"window":         func(c *Config) { c.WindowSize = 0 },
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

func TestParseChaos(t *testing.T) {
	c := Chaos{Within: 3, Garbage: 0.5}
	if err := c.ParseChaos("corrupt=1%, duplicate=0.02,reorder=100%,conflict=0,within=7,skew=30s,drift=0.01%,"); err != nil {
		t.Fatal(err)
	}
	if want := (Chaos{Corrupt: 0.01, Duplicate: 0.02, Reorder: 1, Garbage: 0.5, Within: 7, Skew: 30 * time.Second, Drift: 0.0001}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
	if got, want := c.ClocksOnly(), (Chaos{Within: 7, Skew: 30 * time.Second, Drift: 0.0001}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{"corrupt", "corrupt=", "corrupt=101%", "corrupt=-1%", "corrupt=NaN", "corrupt=1s", "within=x", "skew=1", "lose=1%", "=1%"} {
		if err := new(Chaos).ParseChaos(bad); err == nil {
			t.Errorf("%q was parsed", bad)
		}
	}
}

func TestShareAsText(t *testing.T) {
	for text, want := range map[string]Share{"1%": 0.01, "0.5%": 0.005, "0.25": 0.25, "100%": 1, "0": 0} {
		var s Share
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q is %v, %v; want %v", text, s, err, want)
		}
		again, err := ParseShare(s.String())
		if err != nil || again != want {
			t.Errorf("%v is written as %s", want, s)
		}
	}
}
