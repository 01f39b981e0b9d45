package host

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"time"
)

// Plugin says what is known of a plugin at a moment.
type Plugin struct {
	Name   string `json:"name"` // of its file
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // that is pinned, if one is

	Title   string  `json:"title,omitempty"` // what it calls itself
	Version string  `json:"version,omitempty"`
	Stages  []Stage `json:"stages,omitempty"`

	Running bool   `json:"running"`
	PID     int    `json:"pid,omitempty"`
	RSS     int64  `json:"rss,omitempty"`   // bytes
	Error   string `json:"error,omitempty"` // why it is left out, or does not run when that will last

	// Restarts is how often it was started again, by reason.
	Restarts map[string]uint64 `json:"restarts"`
	LastEnd  string            `json:"lastEnd,omitempty"` // why its process ended the last time
	Since    time.Time         `json:"since,omitzero"`    // of this state
}

// Plugins returns what is known of each plugin, those that were left out included,
// in the order of the settings.
func (h *Host) Plugins() []Plugin {
	all := make([]Plugin, len(h.plugins))
	for i, p := range h.plugins {
		all[i] = p.status()
	}
	return all
}

func (p *plugin) status() Plugin {
	st := Plugin{Name: p.name, Path: p.pinned.path, Restarts: map[string]uint64{}}
	if p.pinned.sum != [sha256.Size]byte{} {
		st.SHA256 = hex.EncodeToString(p.pinned.sum[:])
	}
	if err := p.leftOut(); err != nil {
		st.Error = err.Error()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if d := p.described; d != nil {
		st.Title, st.Version = d.title, d.version
		for _, s := range d.stages {
			st.Stages = append(st.Stages, s.Stage)
		}
	}
	if p.supervisor != nil {
		p.supervisor.tellOf(&st)
	}
	return st
}

// tellOf notes the state of the process.
func (s *supervisor) tellOf(st *Plugin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		st.Running, st.PID, st.RSS = true, s.current.proc.number(), s.current.proc.resident()
	} else if s.giveUp != nil && st.Error == "" {
		st.Error = s.giveUp.Error()
	}
	st.Restarts, st.LastEnd, st.Since = maps.Clone(s.restarts), s.last.text, s.since
}
