package main

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// mostWritten is how many of the last lines of a plugin are shown.
const mostWritten = 20

// wrote keeps what the latest process of a plugin has written to its standard error,
// the last lines of it. It is the handler of a host's log whose own records are of
// no use.
type wrote struct {
	mu    sync.Mutex
	lines []string
}

// Enabled implements slog.Handler.
func (*wrote) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (*wrote) Handle(context.Context, slog.Record) error { return nil }

// WithGroup implements slog.Handler.
func (w *wrote) WithGroup(string) slog.Handler { return w }

// WithAttrs implements slog.Handler. A process writes to a logger of its own, which
// names the stream.
func (w *wrote) WithAttrs(attrs []slog.Attr) slog.Handler {
	if !slices.ContainsFunc(attrs, slog.String("stream", "stderr").Equal) {
		return w
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = nil
	return wroteLines{w}
}

// String returns the lines, indented; nothing when there are none.
func (w *wrote) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) == 0 {
		return ""
	}
	return "It has written to standard error:\n  " + strings.Join(w.lines, "\n  ")
}

// wroteLines takes the lines for a wrote.
type wroteLines struct{ *wrote }

// Handle implements slog.Handler.
func (w wroteLines) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, oneLine(line, 200))
	w.lines = w.lines[max(0, len(w.lines)-mostWritten):]
	return nil
}

// WithAttrs implements slog.Handler.
func (w wroteLines) WithAttrs([]slog.Attr) slog.Handler { return w }
