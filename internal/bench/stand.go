package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// stand is the test stand: servers, queue and programs, and how one run goes.
type stand struct {
	dir          string // for files of the runs
	programs     programs
	servers      *servers
	queue        queue
	destinations map[string]destination // by the name of the path
	progress     *progress
}

// destination is where messages of a path arrive. It is prepared before and
// checked after each run.
type destination interface {
	// prepare makes the destination ready for one run; witnessed has it see
	// each message arrive, even if that takes CPU time that contenders need.
	prepare(ctx context.Context, witnessed bool) error
	// check fails unless everything has arrived once.
	check(ctx context.Context, published *published) error
	// env says where it is.
	env() []string
	close() error
}

// competitor empties the queue as fast as it can until settled returns.
type competitor struct {
	name  string
	empty func(ctx context.Context, env []string, settled func(context.Context) error) (measurement, error)
}

// newStand builds the programs and starts the servers. Their files are in dir.
func newStand(ctx context.Context, root, dir string, progress *progress) (*stand, error) {
	s := &stand{dir: dir, progress: progress, destinations: map[string]destination{}}
	progress.say("building the feed and the plain loop")
	var err error
	if s.programs, err = build(ctx, root, dir); err != nil {
		return nil, err
	}
	progress.say("starting RabbitMQ, Mosquitto and Azurite")
	if s.servers, err = startServers(ctx, root, dir); err != nil {
		return nil, err
	}
	if err := s.setUp(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stand) setUp(ctx context.Context) error {
	s.queue = queue{url: s.servers.amqpURL(), api: s.servers.rabbitmq.API}
	if err := s.queue.declare(); err != nil {
		return err
	}
	mqtt, err := newMQTTDestination(ctx, s.servers.mosquitto.Addr())
	if err != nil {
		return err
	}
	s.destinations["mqtt"] = mqtt
	blob, err := newBlobDestination(s.servers.blobConnection())
	if err != nil {
		return err
	}
	s.destinations["blob"] = blob
	return nil
}

func (s *stand) close() error {
	var errs []error
	for _, d := range s.destinations {
		errs = append(errs, d.close())
	}
	return errors.Join(append(errs, s.servers.close())...)
}

// returnPatience is how long RabbitMQ may take to count what a contender gave
// back when it ended.
const returnPatience = 3 * time.Second

// run has a competitor carry n messages, and fails unless all of them arrive.
func (s *stand) run(ctx context.Context, p path, c competitor, n int, witnessed bool) (measurement, error) {
	m, err := s.carry(ctx, p, c, n, witnessed)
	if err != nil {
		return m, fmt.Errorf("%s, %s: %w", p.name, c.name, err)
	}
	return m, nil
}

func (s *stand) carry(ctx context.Context, p path, c competitor, n int, witnessed bool) (measurement, error) {
	label := p.name + ", " + c.name + ": "
	d := s.destinations[p.name]
	if err := d.prepare(ctx, witnessed); err != nil {
		return measurement{}, err
	}
	published, err := s.queue.fill(ctx, n, func(done int) { s.progress.count(label+"filling the queue", done, n) })
	if err != nil {
		return measurement{}, err
	}
	env := append(p.env(), "AMQP_URL="+s.servers.amqpURL())
	m, err := c.empty(ctx, append(env, d.env()...), func(ctx context.Context) error {
		return s.queue.await(ctx, 0, func(left int) { s.progress.count(label+"running", n-left, n) })
	})
	if err != nil {
		return m, err
	}
	m.messages = n
	s.progress.say(label + "checking")
	settled, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	if err := s.queue.await(settled, 0, func(int) {}); err != nil {
		return m, fmt.Errorf("it gave messages back: %w", err)
	}
	return m, d.check(ctx, published)
}

// feed is the feed itself, with the configuration of a path.
func (s *stand) feed(p path) competitor {
	return competitor{"feed", func(ctx context.Context, env []string, settled func(context.Context) error) (measurement, error) {
		file := filepath.Join(s.dir, "feed.yaml")
		if err := os.WriteFile(file, []byte(p.yaml(s.dir)), 0o600); err != nil {
			return measurement{}, err
		}
		return contender{"feed", []string{s.programs.feed, "run", file}, env}.run(ctx, settled)
	}}
}

// loop is the plain loop.
func (s *stand) loop(p path) competitor {
	return competitor{"plain loop", func(ctx context.Context, env []string, settled func(context.Context) error) (measurement, error) {
		return contender{"plain loop", []string{s.programs.loop, p.name}, env}.run(ctx, settled)
	}}
}
