package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kraft-edge/datafeed/feed/config"
)

// TestDurationsInTheLogHaveUnits: in both forms, and in groups.
func TestDurationsInTheLogHaveUnits(t *testing.T) {
	for format, want := range map[config.LogFormat][]string{
		config.LogJSON: {`"keepAlive":"30s"`, `"mqtt":{"after":"1m30s","tries":3}`},
		config.LogText: {"keepAlive=30s", "mqtt.after=1m30s mqtt.tries=3"},
	} {
		var out bytes.Buffer
		newLogger(config.Log{Format: format, Level: config.LogInfo}, &out).Info("connected",
			"keepAlive", 30*time.Second, slog.Group("mqtt", "after", 90*time.Second, "tries", 3))
		for _, w := range want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: %s lacks %s", format, out.String(), w)
			}
		}
	}
}
