package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// How the batches of the devices come to the feed, as the report names it.
const (
	sourceRabbitMQ = "rabbitmq"
	sourceProcess  = "in-process"
)

// ErrStopped is returned when the demo was stopped before it had begun.
var ErrStopped = errors.New("stopped before anything was sent")

// errUncompared is returned when the demo was ended before it could judge.
var errUncompared = errors.New("ended before what has arrived was compared")

// Run demonstrates. It blocks until sending has ended and all has arrived, or
// until ctx ends, and leaves nothing behind but what o.Dir and o.Page ask for. The report
// says whether the demo succeeded; an error says that it could not be held, or
// that something private could not be removed.
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
	s := newStage(stopping, o)
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

// play sends, drains and compares.
func (s *stage) play(ctx context.Context) (*Report, error) {
	r := &Report{Source: sourceProcess, RateAsked: float64(s.options.Rate), StartSeconds: time.Since(s.opened).Seconds()}
	if s.place != nil {
		r.Source = sourceRabbitMQ
	}
	if s.options.Dir != "" {
		r.Files = []string{s.path(devicesName), s.path(fileName)}
	}
	began := time.Now()
	if err := s.send(ctx); err != nil {
		r.problem("send: %v", err)
	}
	r.SendSeconds = time.Since(began).Seconds()
	s.enter("waiting for what is on its way")
	drained := time.Now()
	if err := s.drain(ctx); err != nil {
		r.problem("drain: %v", err)
	}
	for _, f := range []*running{s.devices, s.feed} {
		if err := f.stop(); err != nil {
			r.problem("%s: %v", f.feed.Status().Feed, err)
		}
	}
	s.awaitSubscriber()
	if err := s.unsubscribe(); err != nil {
		r.problem("the MQTT subscriber was cut off: %v", err)
	}
	r.DrainSeconds = time.Since(drained).Seconds()
	s.enter("comparing with what the cloud API serves")
	compared := time.Now()
	if err := s.count(ctx, r); err != nil {
		if ctx.Err() != nil {
			return nil, errUncompared
		}
		return nil, err
	}
	r.CompareSeconds = time.Since(compared).Seconds()
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
