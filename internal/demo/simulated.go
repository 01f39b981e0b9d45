package demo

import (
	"sync"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

// simulated are the sources of the demo's feeds that simulate devices. They end
// together, having sent the same batches.
type simulated struct {
	end simulate.End

	mu      sync.Mutex
	sources map[string]*simulate.Source // by route
}

// registry returns the stages of r, with a simulate source that is kept.
func (s *simulated) registry(r *feed.Registry) (*feed.Registry, error) {
	var factories []feed.Factory
	for _, k := range []feed.Kind{feed.KindSource, feed.KindTransform, feed.KindSink, feed.KindExpectation, feed.KindObservation} {
		for _, f := range r.Factories(k) {
			if k == feed.KindSource && f.Name == "simulate" {
				f = feed.SourceFactory(f.Name, f.Summary, simulate.DefaultConfig, s.source)
			}
			factories = append(factories, f)
		}
	}
	return feed.NewRegistry(factories...)
}

func (s *simulated) source(c simulate.Config, env feed.StageEnv) (*simulate.Source, error) {
	source, err := simulate.NewSource(c, env)
	if err != nil {
		return nil, err
	}
	source.EndWith(&s.end)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sources == nil {
		s.sources = map[string]*simulate.Source{}
	}
	s.sources[env.Route] = source
	return source, nil
}

// report says what the devices of a route have sent so far.
func (s *simulated) report(route string) simulate.Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	if source := s.sources[route]; source != nil {
		return source.Report()
	}
	return simulate.Report{}
}
