package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// retention is how long a feed wants readings to be kept.
type retention struct {
	feed string
	long time.Duration // 0 is for ever
}

// LogValue says for ever as people do.
func (r retention) LogValue() slog.Value {
	if r.long == 0 {
		return slog.StringValue("for ever")
	}
	return slog.DurationValue(r.long)
}

// noteRetention notes in the schema how long this feed wants readings to be kept,
// and learns which feed wants it for the longest time: that one has its way, since
// what is dropped is lost to all.
func (w *writer) noteRetention(ctx context.Context) error {
	longest, err := w.keepFor(ctx)
	if err != nil || longest == w.longest {
		return err
	}
	if w.session.server.hypertable {
		if err := w.keepHypertable(ctx); err != nil {
			return err
		}
	}
	w.longest = longest
	if longest.long != w.config.Retention {
		w.logger.Warn("partitions are kept for longer than the retention of this feed, since another feed wants it: write the same retention for all, or delete the row of one that is gone from the table retentions",
			"retention", retention{long: w.config.Retention}, "kept", longest, "for", longest.feed, "schema", w.config.Schema)
	}
	return nil
}

func (w *writer) keepFor(ctx context.Context) (longest retention, err error) {
	ctx, cancel := w.session.within(ctx)
	defer cancel()
	var own, long *time.Duration
	if w.config.Retention > 0 {
		own = &w.config.Retention
	}
	if err := w.session.conn.QueryRow(ctx, `SELECT feed, retention FROM keep_for($1, $2)`, w.feed, own).Scan(&longest.feed, &long); err != nil {
		return retention{}, fmt.Errorf("note the retention: %w", err)
	}
	if long != nil {
		longest.long = *long
	}
	return longest, nil
}

// keepHypertable lets TimescaleDB keep the partitions.
func (w *writer) keepHypertable(ctx context.Context) error {
	ctx, cancel := w.session.within(ctx)
	defer cancel()
	if _, err := w.session.conn.Exec(ctx, `SELECT keep_hypertable($1, $2)`, w.config.Partition, w.config.CompressAfter); err != nil {
		return fmt.Errorf("set the policies of the hypertable: %w", err)
	}
	return nil
}
