package main

import (
	"context"
	"log/slog"
)

// quarantinedAs is a handler of logs for what takes the place of a quarantine: what
// routes say each second of what they quarantine gets another message, or is left
// out when that is empty.
type quarantinedAs struct {
	slog.Handler
	message string
}

func (h quarantinedAs) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "quarantined" {
		if h.message == "" {
			return nil
		}
		r.Message = h.message
	}
	return h.Handler.Handle(ctx, r)
}

func (h quarantinedAs) WithAttrs(as []slog.Attr) slog.Handler {
	return quarantinedAs{h.Handler.WithAttrs(as), h.message}
}

func (h quarantinedAs) WithGroup(name string) slog.Handler {
	return quarantinedAs{h.Handler.WithGroup(name), h.message}
}
