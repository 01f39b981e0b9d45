package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/internal/embedded"
	"github.com/kraft-edge/datafeed/internal/standin/cloudapi"
	"github.com/kraft-edge/datafeed/internal/witness"
)

// The files of the demo's directory.
const (
	fileName    = "feed.yaml"
	devicesName = "devices.yaml"
	logName     = "feed.log"
	blobsName   = "blobs"
	apiName     = "cloud-api"
	tokenName   = "token"
)

// stage is everything that a demo is made of. It is set up by open, and given
// up by close, in the opposite order.
type stage struct {
	options  Options
	stopping context.Context // ends when sending is to end
	screen   screen
	opened   time.Time
	closers  []func() error

	dir       string
	logger    *slog.Logger
	api       *cloudapi.Server
	config    *config.Config // of the feed
	start     time.Time      // at which the devices begin
	broker    *embedded.Broker
	database  *database // nil: no PostgreSQL
	simulated *simulated
	received  *arrivals // at the MQTT subscriber
	// subscriber has all that the feed publishes; unsubscribe ends it, and returns
	// an error when it was cut off before.
	subscriber  *witness.Subscriber
	unsubscribe func() error

	mu      sync.Mutex // guards what follows where the watcher reads it
	place   *place     // nil: no RabbitMQ
	report  *Report    // nil: not counted yet
	blobs   *blobWatch
	phase   string
	began   time.Time     // of sending
	total   time.Duration // of sending
	devices *running      // nil: not yet
	feed    *running      // nil: not yet

	unwatch func()
}

func newStage(stopping context.Context, o Options) *stage {
	return &stage{
		options: o, stopping: stopping, screen: newScreen(o.Progress, o.Color), opened: time.Now(),
		simulated: &simulated{}, received: newArrivals(), unwatch: func() {},
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
// Nothing is sent yet.
func (s *stage) open(ctx context.Context) error {
	dir, remove, err := makeDirectory(s.options)
	if err != nil {
		return err
	}
	s.onClose(remove)
	s.dir = dir
	log, err := os.OpenFile(s.path(logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s.onClose(log.Close)
	s.logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	for _, open := range []func(context.Context) error{s.openDatabase, s.openRabbitMQ, s.openBroker, s.openAPI, s.openFeeds} {
		if err := open(ctx); err != nil {
			return err
		}
	}
	s.enter("the feed connects")
	s.feed.run(context.Background())
	if s.place == nil {
		return nil // its devices are always there
	}
	return s.feed.awaitReady(ctx)
}

func (s *stage) openDatabase(ctx context.Context) error {
	if s.options.Postgres == "" {
		return nil
	}
	d, err := newDatabase(s.options.Postgres)
	if err != nil {
		return err
	}
	if err := d.check(ctx); err != nil {
		return err
	}
	s.onClose(d.remove)
	s.database = d
	return nil
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

// openBroker starts an MQTT broker that asks for a token, and subscribes to all
// that the feed publishes, as a client with a token of its own. A subscriber that is
// slow loses nothing: it acknowledges what it has recorded, and while too much is
// not acknowledged the broker holds the feed back, long before it would have to
// drop. Only of a client that is away it keeps a part, and refuses the rest.
func (s *stage) openBroker(ctx context.Context) error {
	token, own := rand.Text(), rand.Text()
	if err := os.WriteFile(s.path(tokenName), []byte(token), 0o600); err != nil {
		return err
	}
	broker, err := embedded.StartWithTokens(embedded.NewTokens(token, own))
	if err != nil {
		return err
	}
	s.broker = broker
	s.onClose(broker.Close)
	subscriber, err := witness.Subscribe(ctx, broker.URL(), "kraft/#", s.received, witness.WithServiceAccountToken(own))
	if err != nil {
		return err
	}
	s.subscriber = subscriber
	s.unsubscribe = sync.OnceValue(subscriber.Close)
	s.onClose(func() error {
		_ = s.unsubscribe() // play has reported it
		return nil
	})
	return nil
}

func (s *stage) openAPI(context.Context) error {
	if err := os.Mkdir(s.path(apiName), 0o700); err != nil {
		return err
	}
	api, err := cloudapi.Start(cloudapi.Options{Data: s.path(apiName), Logger: s.logger})
	if err != nil {
		return err
	}
	s.api = api
	s.onClose(api.Close)
	return nil
}

// openFeeds writes the files of the feeds, reads them, and makes the feeds.
func (s *stage) openFeeds(ctx context.Context) error {
	const client, reader = "device", "validator"
	s.start = time.Now().UTC().Truncate(time.Millisecond)
	f := &file{
		Place: s.place, Database: s.database, Dir: filepath.ToSlash(s.dir), MQTT: s.broker.URL(),
		API: s.api.URL(), Client: client, Secret: cloudapi.SecretPath(s.api.Path(), client),
		Reader: reader, ReaderSecret: cloudapi.SecretPath(s.api.Path(), reader),
		Devices: simulation{Devices: s.options.Devices, Rate: s.options.Rate, Start: s.start.Format(time.RFC3339Nano)},
	}
	registry, err := s.simulated.registry(s.options.Registry)
	if err != nil {
		return err
	}
	open := func(name, text string) (*running, *config.Config, error) {
		cfg, err := f.load(s.path(name), text, registry)
		if err != nil {
			return nil, nil, err
		}
		f, err := build(ctx, cfg, s.logger)
		if err == nil {
			s.onClose(f.close)
		}
		return f, cfg, err
	}
	main, cfg, err := open(fileName, f.feed())
	if err != nil {
		return err
	}
	s.config = cfg
	devices, _, err := open(devicesName, f.devices())
	if err != nil {
		return err
	}
	kept := ""
	if s.options.Dir == "" {
		kept = "\n           (removed at the end; --dir DIR keeps them)"
	}
	s.say("the feeds: " + s.path(devicesName) + "\n           " + s.path(fileName) + kept)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.feed, s.devices = main, devices
	s.blobs = newBlobWatch(s.path(blobsName))
	return nil
}
