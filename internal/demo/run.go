package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The sources of readings, as the report names them.
const (
	sourceRabbitMQ  = "rabbitmq"
	sourceGenerator = "generator"
)

// ErrStopped is returned when the demo was stopped before it had begun.
var ErrStopped = errors.New("stopped before anything was published")

// Run demonstrates. It blocks until publishing has ended and all has arrived,
// or until ctx ends, and leaves nothing behind but what o.Dir asks for. The
// report says whether the demo succeeded; an error says that it could not be
// held, or that something private could not be removed.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	if o.Stop != nil {
		done := make(chan struct{})
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			select {
			case <-o.Stop:
				stop()
			case <-done:
			}
		}()
		defer func() { close(done); <-watched }()
	}
	s := newStage(stopping, stop, o)
	defer func() { err = errors.Join(err, s.close()) }()
	s.watch()
	if err := s.open(stopping); err != nil {
		if stopping.Err() != nil {
			return nil, ErrStopped
		}
		return nil, err
	}
	return s.play(ctx)
}

// play publishes, drains and counts.
func (s *stage) play(ctx context.Context) (*Report, error) {
	r := &Report{Source: sourceGenerator, RateAsked: float64(s.options.Rate), StartSeconds: time.Since(s.opened).Seconds()}
	if s.place != nil {
		r.Source = sourceRabbitMQ
	}
	if s.options.Dir != "" {
		r.File = s.path(fileName)
	}
	s.enter("publishing")
	began := time.Now()
	s.setClock(began, s.options.For)
	if err := s.publish(ctx, r); err != nil {
		r.problem("publish: %v", err)
	}
	r.PublishSeconds = time.Since(began).Seconds()
	s.stopClock()
	s.enter("draining: waiting for what is on its way")
	drained := time.Now()
	if err := s.drain(ctx); err != nil {
		r.problem("drain: %v", err)
	}
	if err := s.stopFeed(); err != nil {
		r.problem("feed: %v", err)
	}
	if err := s.settleWitness(); err != nil {
		r.problem("MQTT subscriber: %v", err)
	}
	r.DrainSeconds = time.Since(drained).Seconds()
	s.enter("counting")
	r.Published = s.published.Distinct()
	r.Rate = float64(r.Published) / max(r.PublishSeconds, 0.001)
	if err := s.count(r); err != nil {
		return nil, err
	}
	r.RSSBytes, r.PeakRSSBytes = memory()
	r.judge()
	s.finish(r)
	s.unwatch()
	return r, nil
}

// makeDirectory returns the directory of the demo, and what removes it.
func makeDirectory(o Options) (dir string, remove func() error, err error) {
	if o.Dir == "" {
		dir, err = os.MkdirTemp("", "feed-demo-")
		return dir, func() error { return os.RemoveAll(dir) }, err
	}
	if dir, err = filepath.Abs(o.Dir); err != nil {
		return "", nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", nil, err
	}
	if len(entries) > 0 {
		return "", nil, fmt.Errorf("--dir: %s is not empty: name a new directory", dir)
	}
	return dir, func() error { return nil }, nil
}
