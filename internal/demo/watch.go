package demo

import (
	"sync"
	"time"
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

// setClock begins to show how much of total has passed.
func (s *stage) setClock(began time.Time, total time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.began, s.total = began, total
}

// stopClock ends publishing, however much of its time was left.
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
	stage     *stage
	last      time.Time // shown
	counted   time.Time // files
	published meter
	routes    map[string]*meter
}

func newWatcher(s *stage) *watcher { return &watcher{stage: s, routes: map[string]*meter{}} }

// look samples, and shows when it is time to.
func (w *watcher) look(now time.Time) {
	s := w.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feed != nil && now.Sub(w.counted) >= time.Second/2 {
		s.blobs.count()
		s.lines, w.counted = s.blobs.lines, now
	}
	p := w.sample(now)
	if now.Sub(w.last) >= s.screen.every()-10*time.Millisecond && p.Phase != "" {
		w.last = now
		s.screen.show(p)
	}
}

// sample reads the counters against the stream, what arrived before what was
// published: so no more ever seems to arrive than was published.
func (w *watcher) sample(now time.Time) progress {
	s := w.stage
	p := progress{
		Phase: s.phase, Elapsed: now.Sub(s.opened), Total: usualStart, Source: "generator",
		Lines: s.lines, Objects: len(s.blobs.known), Received: s.received.Distinct(),
	}
	w.sampleRoutes(now, &p)
	p.Published = s.entered()
	p.Rate = w.published.rate(now, p.Published)
	p.RSS, _ = memory()
	if s.place != nil {
		p.Source = "→ RabbitMQ"
	}
	if !s.began.IsZero() {
		p.Elapsed, p.Total = min(now.Sub(s.began), s.total), s.total
	}
	if r := s.report; r != nil {
		p.Final, p.Published, p.Rate = true, r.Published, r.Rate
		p.Received, p.Lines, p.Objects = r.MQTT.Arrived, r.Blobs.Arrived, r.Blobs.Objects
	}
	return p
}

// entered returns how many readings were let in. A reading may arrive before
// RabbitMQ's confirm for it does, so that the confirmed ones would be too few.
func (s *stage) entered() uint64 {
	if s.place == nil {
		return s.published.Distinct()
	}
	return s.handed.Load()
}

func (w *watcher) sampleRoutes(now time.Time, p *progress) {
	s := w.stage
	if s.feed == nil {
		return
	}
	for _, r := range s.feed.Status().Routes {
		m := w.routes[r.Name]
		if m == nil {
			m = &meter{}
			w.routes[r.Name] = m
		}
		p.Routes = append(p.Routes, routeProgress{
			Name: r.Name, From: r.Source, To: r.Sink, State: r.State, Reason: r.Reason,
			Delivered: r.Deliveries.Delivered, InFlight: r.Deliveries.InFlight, Rate: m.rate(now, r.Deliveries.Delivered),
		})
	}
}
