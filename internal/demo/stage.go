package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/embedded"
	"github.com/kraft-edge/datafeed/internal/witness"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// The files of the demo's directory.
const (
	fileName       = "feed.yaml"
	logName        = "feed.log"
	blobsName      = "blobs"
	quarantineName = "quarantine.db"
)

// readyWithin bounds how long the feed may take to reach its sources.
const readyWithin = 30 * time.Second

// stage is everything that a demo is made of. It is set up by open, and given
// up by close, in the opposite order.
type stage struct {
	options  Options
	stopping context.Context // ends when publishing is to end
	stop     func()          // ends it
	screen   screen
	opened   time.Time
	closers  []func() error

	dir       string
	mqttURL   string
	published *witness.Tally
	received  *witness.Tally
	handed    atomic.Uint64 // readings handed to RabbitMQ, confirmed or not

	mu         sync.Mutex // guards what follows where the watcher reads it
	place      *place     // nil: no RabbitMQ
	report     *Report    // nil: not counted yet
	blobs      lineCounter
	phase      string
	began      time.Time
	total      time.Duration
	feed       *feed.Feed
	lines      uint64
	subscriber *witness.Subscriber

	cancelFeed func()
	feedDone   chan struct{}
	feedErr    error // once feedDone is closed

	unwatch func()
}

func newStage(stopping context.Context, stop func(), o Options) *stage {
	return &stage{
		options: o, stopping: stopping, stop: stop, screen: newScreen(o.Progress, o.Color), opened: time.Now(),
		published: witness.NewTally(), received: witness.NewTally(), unwatch: func() {},
	}
}

// close gives up all that was opened.
func (s *stage) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	s.unwatch()
	return errors.Join(errs...)
}

func (s *stage) path(name string) string { return filepath.Join(s.dir, name) }

// onClose has close call f.
func (s *stage) onClose(f func() error) { s.closers = append(s.closers, f) }

// open sets everything up and returns when the feed has reached its sources.
func (s *stage) open(ctx context.Context) error {
	dir, remove, err := makeDirectory(s.options)
	if err != nil {
		return err
	}
	s.onClose(remove)
	s.mu.Lock()
	s.dir, s.blobs = dir, lineCounter{dir: filepath.Join(dir, blobsName), known: map[string]bool{}}
	s.mu.Unlock()
	if err := s.openRabbitMQ(ctx); err != nil {
		return err
	}
	broker, err := embedded.Start()
	if err != nil {
		return err
	}
	s.onClose(broker.Close)
	s.mqttURL = broker.URL()
	if s.subscriber, err = witness.Subscribe(ctx, broker.URL(), "kraft/#", s.received); err != nil {
		return err
	}
	s.onClose(s.closeSubscriber)
	if err := s.startFeed(ctx); err != nil {
		return err
	}
	s.enter("the feed connects")
	return s.awaitReady(ctx)
}

// openRabbitMQ finds a RabbitMQ, or decides to do without.
func (s *stage) openRabbitMQ(ctx context.Context) error {
	switch s.options.AMQP {
	case Off:
		return nil
	case "":
		return s.openPrivateRabbitMQ(ctx)
	}
	place := sharedPlace(s.options.AMQP)
	if err := place.check(); err != nil {
		return err
	}
	s.onClose(place.remove)
	s.setPlace(place)
	return nil
}

func (s *stage) openPrivateRabbitMQ(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "feed-demo-rabbitmq-")
	if err != nil {
		return err
	}
	s.onClose(func() error { return os.RemoveAll(dir) })
	s.enter("starting a private RabbitMQ, which takes 5 to 20 s")
	url, node, err := s.options.startRabbitMQ(ctx, filepath.Join(dir, "node"))
	if errors.Is(err, errNoRabbitMQ) {
		s.say(howToGetRabbitMQ + "\n")
		return nil
	}
	if err != nil {
		return err
	}
	s.onClose(node.Close)
	s.setPlace(privatePlace(url))
	return nil
}

func (s *stage) setPlace(p *place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.place = p
}

// startFeed writes the feed.yaml, reads it, and runs the feed.
func (s *stage) startFeed(ctx context.Context) error {
	f := file{
		Place: s.place, MQTT: s.mqttURL, Blobs: "file://" + filepath.ToSlash(s.path(blobsName)), Quarantine: s.path(quarantineName),
		Rate: s.options.Rate, Devices: s.options.Devices,
	}
	if err := f.write(s.path(fileName)); err != nil {
		return err
	}
	registry := s.options.Registry
	if s.place == nil {
		var err error
		if registry, err = (generated{tally: s.published, stopping: s.stopping}).registry(registry); err != nil {
			return err
		}
	}
	cfg, err := f.load(s.path(fileName), registry)
	if err != nil {
		return err
	}
	if s.options.Dir != "" {
		s.say("the feed: " + s.path(fileName))
	} else {
		s.say("the feed: " + s.path(fileName) + "\n          (removed at the end; --dir DIR keeps it)")
	}
	built, err := s.build(ctx, cfg)
	if err != nil {
		return err
	}
	s.run(built)
	return nil
}

// build makes the feed with its quarantine and its log.
func (s *stage) build(ctx context.Context, cfg *config.Config) (*feed.Feed, error) {
	log, err := os.OpenFile(s.path(logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s.onClose(log.Close)
	q, err := quarantine.Open(ctx, quarantine.Config{
		Feed: cfg.Name, Path: cfg.Quarantine.Path, MaxBytes: cfg.Quarantine.MaxBytes, MaxMessages: int64(cfg.Quarantine.MaxMessages),
	})
	if err != nil {
		return nil, err
	}
	s.onClose(q.Close)
	options, routes, err := cfg.Build(slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		return nil, err
	}
	options.Quarantine = q
	built, err := feed.New(options, routes...)
	if err != nil {
		for _, r := range routes {
			err = errors.Join(err, r.Source.Close(), r.Sink.Close())
		}
		return nil, err
	}
	return built, nil
}

// run runs the feed until stopFeed, or until it ends by itself.
func (s *stage) run(f *feed.Feed) {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancelFeed, s.feedDone = cancel, make(chan struct{})
	s.mu.Lock()
	s.feed = f
	s.mu.Unlock()
	go func() {
		defer close(s.feedDone)
		s.feedErr = f.Run(ctx)
	}()
	s.onClose(func() error { _ = s.stopFeed(); return nil }) // play has reported it, or there is a better error
}

// stopFeed drains the feed and returns what it ended with. Idempotent.
func (s *stage) stopFeed() error {
	s.cancelFeed()
	<-s.feedDone
	return s.feedErr
}

// awaitReady waits until the feed has reached its sources: by then it has
// declared its queues.
func (s *stage) awaitReady(ctx context.Context) error {
	if s.place == nil {
		return nil // a generator is always there, and may have ended already
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	timeout := time.NewTimer(readyWithin)
	defer timeout.Stop()
	for !s.feed.Status().Ready {
		select {
		case <-tick.C:
		case <-s.feedDone:
			return fmt.Errorf("the feed ended: %w", s.feedErr)
		case <-ctx.Done():
			return ctx.Err()
		case <-timeout.C:
			return fmt.Errorf("the feed was not ready within %v: %s", readyWithin, reasons(s.feed.Status()))
		}
	}
	return nil
}

func reasons(status feed.Status) string {
	text := ""
	for _, r := range status.Routes {
		if !r.Ready {
			text += fmt.Sprintf("route %s is %s: %s; ", r.Name, r.State, r.Reason)
		}
	}
	return text
}

// closeSubscriber ends the subscription. Idempotent.
func (s *stage) closeSubscriber() error {
	if s.subscriber == nil {
		return nil
	}
	err := s.subscriber.Close()
	s.subscriber = nil
	return err
}
