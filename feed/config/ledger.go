package config

import (
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// Ledger says where it is kept what became of each message, for feed trace.
type Ledger struct {
	Path     string    `yaml:"path" doc:"Directory that holds the ledger, on a local disk, of this process alone; it is created when missing."`
	MaxBytes feed.Size `yaml:"maxBytes" doc:"Most bytes of the ledger, some 30 for each message; beyond that the oldest records are removed."`
}

// leastLedger is the least that a ledger may take.
const leastLedger = feed.MiB

func defaultLedger() Ledger { return Ledger{MaxBytes: feed.GiB} }

// Off reports whether there is no ledger.
func (l Ledger) Off() bool { return l.Path == "" }

// checkLedger checks where the ledger is, and its bound.
func (d *decoder) checkLedger(c *Config, root *yaml.Node, bad func(key, reason, remedy string)) {
	l := c.Ledger
	if e, ok := find(root, "ledger"); ok && len(resolve(e.value).Content) > 0 && l.Path == "" {
		bad("ledger", "has no path", "write path: and the directory that is to hold it")
	}
	if l.MaxBytes < leastLedger {
		bad("ledger.maxBytes", "must be at least "+leastLedger.String(), "")
	}
	if l.Path != "" && filepath.Clean(l.Path) == filepath.Clean(c.Quarantine.Path) {
		bad("ledger.path", "is the file of the quarantine", "write a directory of its own")
	}
}
