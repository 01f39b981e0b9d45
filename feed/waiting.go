package feed

import (
	"context"
	"fmt"
	"math"
	"time"
)

// hopeless is how long a draining route tries what alone keeps it, when that is a
// quarantine, which if full will not take anything before the drain deadline
// either, or a transform: what it fails at comes again, and is nowhere twice.
const hopeless = time.Second

// patience is how long nothing may get done before the route gives its
// deliveries back. A draining one has until the drain deadline when the sink may
// still take something.
func (r *runner) patience(draining bool) time.Duration {
	switch {
	case !draining:
		return r.Retry.GiveBackAfter
	case r.waitsFor() != waitsForSink:
		return min(hopeless, r.Retry.GiveBackAfter)
	}
	return math.MaxInt64
}

// givesBack returns when the route gives its deliveries back if nothing gets done
// until then; not ok: there are none that it would give back.
func (r *runner) givesBack() (at time.Time, ok bool) {
	draining := r.soft.Err() != nil
	if patience := r.patience(draining); !r.failingSince.IsZero() && patience < math.MaxInt64 {
		at, ok = r.failingSince.Add(patience), true
	}
	if len(r.window) > 0 && !draining {
		if latest := r.window[0].received.Add(r.MaxHold); !ok || latest.Before(at) {
			at, ok = latest, true
		}
	}
	return at, ok
}

// Who keeps a route from getting anything done.
const (
	waitsForSink       = "sink down"
	waitsForQuarantine = "quarantine down"
	waitsForTransform  = "transform failing"
)

// waitsFor says who keeps a route that gets nothing done: the sink while it may take
// something. In a stream that is nothing before all of a range is transformed and
// what is condemned is stored.
func (r *runner) waitsFor() string {
	switch alone := r.progress != nil || len(r.queue) == 0; {
	case len(r.condemned) > 0 && alone:
		return waitsForQuarantine
	case len(r.inbox) > 0 && alone:
		return waitsForTransform
	}
	return waitsForSink
}

// pause waits until the sink (and the quarantine) would take messages again, and
// transforms could make them.
// It returns false when the feed stops meanwhile.
func (r *runner) pause() bool {
	r.setState(StatePaused, r.reason())
	wait := backoff{first: r.Retry.InitialDelay, longest: r.Retry.MaxDelay}
	if _, ok := r.Sink.(Prober); !ok {
		wait.first = wait.longest // nothing to ask: a try is the probe
	}
	for {
		if !r.sleep(wait.next()) {
			return false
		}
		err := r.probe()
		if err == nil {
			r.failingSince = time.Time{}
			r.retry.reset()
			r.probed = true
			return true
		}
		if r.soft.Err() != nil {
			return false
		}
		r.setState(StatePaused, err.Error())
	}
}

// probe asks sink and quarantine whether they would take messages now, and
// transforms whether they could do their work.
func (r *runner) probe() error {
	ctx, cancel := context.WithTimeout(r.soft, max(r.Retry.MaxDelay, time.Second))
	defer cancel()
	if p, ok := r.Sink.(Prober); ok {
		if err := r.ask(ctx, "sink "+r.SinkName, p.Probe); err != nil {
			return err
		}
	}
	if p, ok := r.quarantine.(Prober); ok {
		if err := r.ask(ctx, "quarantine", p.Probe); err != nil {
			return err
		}
	}
	for _, t := range r.Transforms {
		if t.Probe == nil {
			continue
		}
		// For as long as it takes: what is begun anew each time might never end.
		if err := r.ask(r.soft, "transform "+t.Name, t.Probe); err != nil {
			return err
		}
	}
	return nil
}

// ask calls a probe and turns a panic into an error.
func (r *runner) ask(ctx context.Context, stage string, probe func(context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Recovered("probe", p)
			r.logPanic(stage, err)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", stage, err)
		}
	}()
	return probe(ctx)
}

// sleep waits for d and returns false when the feed is to stop first.
func (r *runner) sleep(d time.Duration) bool {
	return sleep(r.soft, d)
}

// rest waits for d between two tries, but not beyond the time at which deliveries
// are given back; while the feed drains, only that and its deadline cut the wait short.
func (r *runner) rest(d time.Duration) {
	if at, ok := r.givesBack(); ok {
		d = min(d, time.Until(at))
	}
	if r.soft.Err() != nil {
		sleep(r.hard, d)
		return
	}
	sleep(r.soft, d)
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
