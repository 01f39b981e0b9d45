package main

import (
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/feed/ledger"
)

// repairsOf is where repairs keep a ledger of their own: that of the feed belongs to
// the process that runs it.
func repairsOf(ledger string) string { return filepath.Join(ledger, "repairs") }

// repairLedger keeps what became of the messages that repairs send.
type repairLedger struct{ *ledger.Ledger }

// openRepairLedger opens it beside the ledger of a file; it is nil when there is
// none. It takes a tenth of what that may take.
func openRepairLedger(cfg *config.Config, logger *slog.Logger) (*repairLedger, error) {
	if cfg.Ledger.Off() {
		return nil, nil
	}
	l, err := ledger.Open(ledger.Config{Path: repairsOf(cfg.Ledger.Path), MaxBytes: max(cfg.Ledger.MaxBytes/10, feed.MiB), Logger: logger})
	if err != nil {
		return nil, err
	}
	return &repairLedger{l}, nil
}

// Record implements [feed.Ledger]. Most of what a place has was never missing, and is
// left out.
func (l *repairLedger) Record(hop *feed.Hop, ended []feed.Ended) {
	sent := slices.DeleteFunc(slices.Clone(ended), func(e feed.Ended) bool { return e.Outcome != feed.Delivered && e.Outcome != feed.Quarantined })
	if len(sent) > 0 {
		l.Ledger.Record(hop, sent)
	}
}
