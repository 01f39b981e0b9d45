package validator

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// complaints returns the keys that an error complains of, and demands remedies.
func complaints(t *testing.T, err error) (keys []string) {
	t.Helper()
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			keys = append(keys, complaints(t, e)...)
		}
		return keys
	}
	if err == nil {
		return nil
	}
	var ce *feed.ConfigError
	if !errors.As(err, &ce) || ce.Problem == "" || ce.Remedy == "" {
		t.Fatalf("%v names no key, or no remedy", err)
	}
	return []string{ce.Key}
}

func TestConfig(t *testing.T) {
	for name, tt := range map[string]struct {
		edit func(*Config)
		want []string
	}{
		"good":        {func(*Config) {}, nil},
		"empty":       {func(c *Config) { *c = DefaultConfig() }, []string{"expect", "path"}},
		"every":       {func(c *Config) { c.Every = 0 }, []string{"every"}},
		"retention":   {func(c *Config) { c.Retention = time.Hour }, []string{"retention"}},
		"retention 2": {func(c *Config) { c.Retention = 1 << 62 }, []string{"retention"}},
		"least":       {func(c *Config) { c.Retention = time.Hour + 40*time.Minute }, nil},
		"maxBytes":    {func(c *Config) { c.MaxBytes = 0 }, []string{"maxBytes"}},
		"report":      {func(c *Config) { c.Report = c.Path + "/" }, []string{"report"}},
		"options":     {func(c *Config) { c.Window, c.Rules.Time = 0, -1 }, []string{"window", "rules.time"}},
	} {
		c := DefaultConfig()
		c.Path, c.Expect = "/var/lib/feed/validator", truth(&watched{})
		tt.edit(&c)
		if got := complaints(t, c.Validate()); !slices.Equal(got, tt.want) {
			t.Errorf("%s: complaints about %v, want %v", name, got, tt.want)
		}
		if _, err := newSink(c, feed.StageEnv{}, time.Now); (err == nil) != (tt.want == nil) {
			t.Errorf("%s: newSink: %v", name, err)
		}
	}
}

// What is wrong with the expectation is told with the key under which it stands.
func TestExpectationFails(t *testing.T) {
	c := DefaultConfig()
	c.Path, c.Expect = t.TempDir(), truth(validate.Expectation(nil))
	var ce *feed.ConfigError
	if _, err := NewSink(c, feed.StageEnv{}); !errors.As(err, &ce) || ce.Key != "expect.truth" {
		t.Errorf("%v", err)
	}
}
