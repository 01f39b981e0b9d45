package main

import (
	"io"
	"log/slog"

	"github.com/kraft-edge/datafeed/feed/config"
)

// newLogger returns the logger that a file asks for.
func newLogger(c config.Log, w io.Writer) *slog.Logger {
	level := map[config.LogLevel]slog.Level{
		config.LogDebug: slog.LevelDebug, config.LogInfo: slog.LevelInfo, config.LogWarn: slog.LevelWarn, config.LogError: slog.LevelError,
	}[c.Level]
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == config.LogJSON {
		opts.ReplaceAttr = durationAsText
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// durationAsText writes 30s in the place of the nanoseconds that JSON would have.
func durationAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}
