package main

import (
	"context"
	"log/slog"
	"strings"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/ledger"
	"github.com/kraft-edge/datafeed/feed/reading"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// tellCauses says of listed discrepancies what the ledger of the file knows of
// them, of each route the last. The verdicts stand already: what a feed says of itself
// explains them, and proves nothing.
func tellCauses(ctx context.Context, cfg *config.Config, job *validate.Job, r *validate.Result, logger *slog.Logger) error {
	if cfg.Ledger.Off() {
		return nil
	}
	by, _, err := job.KnownBy()
	if err != nil {
		return err
	}
	known := func(id ledger.Identity) ledger.Identity {
		k := by(&reading.Reading{Device: id.Device, Tag: id.Tag, Time: id.Time, Seq: id.Seq})
		return ledger.Identity{Device: k.Device, Tag: k.Tag, Time: k.Time, Seq: k.Seq}
	}
	var asked []*validate.Discrepancy
	var ids []ledger.Identity
	for i := range r.Discrepancies {
		if d := &r.Discrepancies[i]; d.Cause == "" && d.Expected != nil {
			asked = append(asked, d)
			ids = append(ids, ledger.Identity{Device: d.Device, Tag: d.Tag, Time: d.Expected.Time.UnixNano(), Seq: d.Seq})
		}
	}
	if len(asked) == 0 {
		return nil
	}
	found, err := ledger.Lookup(ctx, cfg.Ledger.Path, ids, known)
	if err != nil {
		logger.Warn("the ledger does not tell what has become of what differs", "ledger", cfg.Ledger.Path, "error", err)
		return nil
	}
	for i, d := range asked {
		var causes []string
		for _, e := range found[known(ids[i])] {
			causes = append(causes, e.Cause())
		}
		if d.Cause = strings.Join(causes, "; "); d.Cause == "" {
			d.Cause = "the ledger has nothing of it"
		}
	}
	return nil
}
