package main

import (
	"context"
	"log/slog"
	"slices"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/ledger"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// tellCauses says of listed discrepancies what the ledger of the file knows of
// them. The verdicts stand already: what a feed says of itself explains them, and
// proves nothing.
func tellCauses(ctx context.Context, cfg *config.Config, r *validate.Result, logger *slog.Logger) {
	if cfg.Ledger.Off() {
		return
	}
	asked := map[ledger.Identity][]*validate.Discrepancy{}
	for i := range r.Discrepancies {
		if d := &r.Discrepancies[i]; d.Cause == "" && d.Expected != nil {
			id := ledger.Identity{Device: d.Device, Tag: d.Tag, Time: d.Expected.Time.UnixNano(), Seq: d.Seq}
			asked[id] = append(asked[id], d)
		}
	}
	ids := make([]ledger.Identity, 0, len(asked))
	for id := range asked {
		ids = append(ids, id)
	}
	if len(ids) == 0 {
		return
	}
	known, err := ledger.Lookup(ctx, cfg.Ledger.Path, ids)
	if err != nil {
		logger.Warn("the ledger does not tell what has become of what differs", "ledger", cfg.Ledger.Path, "error", err)
		return
	}
	for id, ds := range asked {
		cause := "the ledger has nothing of it"
		if entries := known[id]; len(entries) > 0 {
			last := slices.MaxFunc(entries, func(a, b ledger.Entry) int { return a.Done.Compare(b.Done) })
			cause = last.Cause()
		}
		for _, d := range ds {
			d.Cause = cause
		}
	}
}
