package demo

import (
	"slices"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// usualStart is how long a start takes, for the bar.
const usualStart = 20 * time.Second

// watch shows progress until unwatch.
func (s *stage) watch() {
	done := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		w := newWatcher(s)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				w.look(now)
			case <-done:
				w.last = time.Time{}
				w.look(time.Now())
				s.screen.close()
				return
			}
		}
	})
	s.unwatch = sync.OnceFunc(func() {
		close(done)
		watcher.Wait()
	})
}

// enter begins a phase.
func (s *stage) enter(phase string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phase
}

// say shows a text that stays.
func (s *stage) say(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.screen.say(text)
}

// startClock begins to show how much of sending has passed.
func (s *stage) startClock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.began, s.total = "sending", time.Now(), s.options.For
}

// stopClock ends sending, however much of its time was left.
func (s *stage) stopClock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total = min(s.total, time.Since(s.began))
}

// finish has the last picture show what r says.
func (s *stage) finish(r *Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase, s.report = "done", r
}

// watcher samples and shows.
type watcher struct {
	stage   *stage
	last    time.Time // shown
	counted time.Time // files
	routes  map[string]*meter
}

func newWatcher(s *stage) *watcher { return &watcher{stage: s, routes: map[string]*meter{}} }

// look samples, and shows when it is time to.
func (w *watcher) look(now time.Time) {
	s := w.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blobs != nil && now.Sub(w.counted) >= time.Second/2 {
		s.blobs.look()
		w.counted = now
	}
	p := w.sample(now)
	if now.Sub(w.last) >= s.screen.every()-10*time.Millisecond && p.Phase != "" {
		w.last = now
		s.screen.show(p)
	}
}

// sample reads the counters against the stream, what arrived before what was
// sent: so no more ever seems to arrive than was sent.
func (w *watcher) sample(now time.Time) progress {
	s := w.stage
	p := progress{Phase: s.phase, Elapsed: now.Sub(s.opened), Total: usualStart}
	p.RSS, _ = memory()
	if p.Passed = p.Elapsed; !s.began.IsZero() {
		p.Passed, p.Total = min(now.Sub(s.began), s.total), s.total
	}
	if s.began.IsZero() {
		return p
	}
	p.Places = []arrivedAt{
		{Name: "cloud API", N: uint64(s.api.Stats().Readings)},
		{Name: "MQTT subscriber", N: s.received.tally.Distinct()},
		{Name: "lines in blobs", N: s.blobs.distinct(), Files: len(s.blobs.known)},
	}
	w.sampleRoutes(now, s.feed, &p)
	w.sampleRoutes(now, s.devices, &p)
	slices.SortStableFunc(p.Hops, func(a, b hop) int { return order(a.Name) - order(b.Name) })
	for _, route := range []string{s.disturbed(), routeTruth} {
		p.Made = max(p.Made, s.simulated.report(route).Readings)
	}
	if r := s.report; r != nil {
		p.Final, p.Places = true, r.places()
	}
	return p
}

// places are those of the last picture.
func (r *Report) places() []arrivedAt {
	places := []arrivedAt{
		{Name: "cloud API", N: r.API.Readings},
		{Name: "MQTT subscriber", N: r.MQTT.Arrived},
		{Name: "lines in blobs", N: r.Blobs.Arrived, Files: r.Blobs.Objects},
	}
	if r.PostgreSQL != nil {
		places = append(places, arrivedAt{Name: "PostgreSQL", N: r.PostgreSQL.Arrived})
	}
	return places
}

// order is where a route stands: as messages move, and the truth last.
func order(route string) int {
	return slices.Index([]string{routeDevices, routeIngest, routeDirect, routeMQTT, routeArchive, routeTruth}, route)
}

func (w *watcher) sampleRoutes(now time.Time, f *running, p *progress) {
	for _, r := range f.feed.Status().Routes {
		h := hop{
			Name: r.Name, From: r.Source, To: r.Sink, State: r.State, Reason: r.Reason,
			Readings: r.Deliveries.Delivered, InFlight: r.Deliveries.InFlight,
		}
		switch r.Name {
		case routeDevices, routeTruth:
			made := w.stage.simulated.report(r.Name)
			h.Batches, h.Readings = made.Batches, made.Readings
		case routeIngest, routeDirect:
			h.Batches, h.Readings = r.Deliveries.Received, r.Produced.Delivered
			p.Held += feed.Total(r.Deliveries.Quarantined)
		}
		m := w.routes[r.Name]
		if m == nil {
			m = &meter{}
			w.routes[r.Name] = m
		}
		h.Rate = m.rate(now, h.Readings)
		p.Hops = append(p.Hops, h)
	}
}
