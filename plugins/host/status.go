package host

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"time"
)

// State says what becomes of the process of a plugin.
type State string

// The states of a plugin.
const (
	// StateStarting means that no process runs, and that one is being started or is
	// about to be: at first, and after each end of one.
	StateStarting State = "starting"
	// StateRunning means that its process runs.
	StateRunning State = "running"
	// StateLeftAlone means that its restarts are used up: it is started again when
	// the first of them is forgotten.
	StateLeftAlone State = "left alone"
	// StateRefused means that it is not the pinned file, or no plugin of this
	// protocol: this host does not start it any more.
	StateRefused State = "refused"
)

// Plugin says what is known of a plugin at a moment.
type Plugin struct {
	Name   string `json:"name"` // of its file
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // that is pinned, if one is

	Title   string  `json:"title,omitempty"` // what it calls itself
	Version string  `json:"version,omitempty"`
	Stages  []Stage `json:"stages,omitempty"`

	State State     `json:"state"`
	Since time.Time `json:"since,omitzero"`  // of the state
	PID   int       `json:"pid,omitempty"`   // of the process that runs
	RSS   int64     `json:"rss,omitempty"`   // bytes
	Error string    `json:"error,omitempty"` // why it is left out, or does not run when that will last

	// Restarts is how often it was started again, by reason.
	Restarts map[string]uint64 `json:"restarts"`
	Budget   Budget            `json:"budget"`
	LastEnd  string            `json:"lastEnd,omitempty"` // why its process ended the last time
}

// Budget says how much is left of how often a plugin may be started again.
type Budget struct {
	Used     int           `json:"used"` // of the restarts, within the time
	Restarts int           `json:"restarts"`
	Within   time.Duration `json:"within"` // nanoseconds
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
	st := Plugin{
		Name: p.name, Path: p.pinned.path, Restarts: map[string]uint64{},
		State: StateStarting, Budget: Budget{Restarts: p.limits.restarts, Within: p.limits.within},
	}
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
	st.Since = p.begun
	if p.supervisor != nil {
		p.supervisor.tellOf(&st)
	}
	if p.refused != nil {
		st.State = StateRefused
	}
	return st
}

// tellOf notes the state of the process.
func (s *supervisor) tellOf(st *Plugin) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil {
		st.PID, st.RSS = s.current.proc.number(), s.current.proc.resident()
	} else if s.giveUp != nil {
		st.Error = cmp.Or(st.Error, s.giveUp.Error())
	}
	st.State, st.Since = s.state(), s.since
	st.Restarts, st.LastEnd, st.Budget.Used = maps.Clone(s.restarts), s.last.text, s.budget.spent(time.Now())
}

// state is what becomes of the process. The lock is held.
func (s *supervisor) state() State {
	refused := (*refusedError)(nil)
	switch {
	case s.current != nil:
		return StateRunning
	case s.giveUp == nil:
		return StateStarting
	case errors.As(s.giveUp, &refused):
		return StateRefused
	}
	return StateLeftAlone
}
