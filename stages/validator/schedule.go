package validator

import (
	"context"
	"time"

	"github.com/kraft-edge/datafeed/feed/validate"
)

// outcome is how a run ended.
type outcome struct {
	at    time.Time
	worst validate.Outcome // Open also when it failed
}

// firstRun is when the first run begins at the latest, so that a process that is
// started again and again compares, too.
const firstRun = time.Minute

// schedule makes runs until the sink is closed.
func (s *Sink) schedule() {
	defer close(s.runs)
	timer := time.NewTimer(min(s.config.Every, firstRun))
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			s.run(s.lifetime)
			timer.Reset(s.config.Every)
		case <-s.lifetime.Done():
			return
		}
	}
}

// run compares what can be judged by now, and says what came of it. What goes wrong
// in it is tried again by the next one.
func (s *Sink) run(ctx context.Context) {
	worst, err := s.reconcile(ctx)
	switch {
	case ctx.Err() != nil:
		return // the sink is closed
	case err != nil:
		s.events.Add(eventFailed, 1)
		s.log.Warn("the comparison failed; the next run tries again", "expectation", s.expect.String(), "in", s.config.Every, "error", err)
		worst = validate.Open
	default:
		s.events.Add(eventRun, 1)
	}
	s.latest.Store(&outcome{at: s.now(), worst: worst})
}
