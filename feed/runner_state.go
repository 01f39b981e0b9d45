package feed

import (
	"strings"
	"time"
)

// stillInterval is how often a state that needs attention is logged again.
const stillInterval = time.Minute

// setState notes the state, and logs it when it changes or begins to have a
// reason; not each reason, which may be another with every try.
func (r *runner) setState(s State, reason string) {
	reason, _, _ = strings.Cut(reason, "\n")
	now := time.Now()
	r.mu.Lock()
	before, hadReason := r.counts.State, r.counts.Reason != "" && !r.logged.IsZero()
	if before != s {
		r.counts.Since = now
	}
	r.counts.State, r.counts.Reason = s, reason
	changed := before != s || reason != "" && !hadReason
	still := reason != "" && now.Sub(r.logged) >= stillInterval
	if changed || still {
		r.logged = now
	}
	r.mu.Unlock()
	is := string(s)
	if s == StateStarting && reason != "" { // which alone would sound as if all went well
		is = "not running and tries to start"
	}
	switch {
	case !changed && !still:
	case reason == "":
		r.log.Info("route is "+is, "before", before)
	case changed:
		r.log.Warn("route is "+is, "before", before, "reason", reason)
	default:
		r.log.Warn("route is still "+is, "reason", reason)
	}
}

// reason says why the route is in its state.
func (r *runner) reason() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts.Reason
}

// status returns a snapshot in which both accounts are of one moment.
func (r *runner) status() RouteStatus {
	events, gauges := r.stageEvents(), r.stageGauges()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.counts
	s.Events, s.Gauges = events, gauges
	s.Ready = s.State == StateRunning
	s.Deliveries = r.received.snapshot()
	s.Produced = r.produced.snapshot()
	if s.Offsets != nil {
		offsets := *s.Offsets
		s.Offsets = &offsets
	}
	return s
}
