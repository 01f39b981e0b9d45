package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// stand is the test stand: servers and programs, and how one run goes.
type stand struct {
	root         string // of the module
	dir          string // for files of the runs
	programs     programs
	servers      *servers
	mqtt         *mqttDestination
	destinations map[string]destination // by name
	progress     *progress
}

// destination is where messages arrive. It is prepared before and checked after
// each run.
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

// competitor empties queues as fast as it can until settled returns.
type competitor struct {
	name  string
	empty func(ctx context.Context, env []string, settled settled) (measurement, error)
	// start has it start and stop, with nothing to do, when that is to be told apart
	// from the messages; nil: it is not.
	start func(ctx context.Context) (measurement, error)
}

// newStand builds the programs and starts the servers. Their files are in dir.
func newStand(ctx context.Context, root, dir string, progress *progress) (*stand, error) {
	s := &stand{root: root, dir: dir, progress: progress, destinations: map[string]destination{}}
	progress.say("building the feed, the plain loop and the plugin")
	var err error
	if s.programs, err = build(ctx, root, dir); err != nil {
		return nil, err
	}
	progress.say("starting RabbitMQ, Mosquitto, PostgreSQL and Azurite")
	if s.servers, err = startServers(ctx, root, dir); err != nil {
		return nil, err
	}
	if err := s.setUp(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *stand) setUp(ctx context.Context) error {
	var err error
	if s.mqtt, err = newMQTTDestination(ctx, s.servers.mosquitto.Addr()); err != nil {
		return err
	}
	s.destinations["mqtt"] = s.mqtt
	blob, err := newBlobDestination(s.servers.blobConnection())
	if err != nil {
		return err
	}
	s.destinations["blob"] = blob
	s.destinations["postgres"] = &databaseDestination{server: s.servers.postgresql}
	if s.destinations["queue"], err = newQueueDestination(s.servers.amqpURL(), s.servers.rabbitmq.API); err != nil {
		return err
	}
	return nil
}

func (s *stand) close() error {
	var errs []error
	for _, d := range s.destinations {
		errs = append(errs, d.close())
	}
	return errors.Join(append(errs, s.servers.close())...)
}

// queues are the queues of a path.
func (s *stand) queues(p path) queues {
	return queues{url: s.servers.amqpURL(), api: s.servers.rabbitmq.API, bindings: p.bindings()}
}

// env tells a contender where the servers are.
func (s *stand) env(p path) []string {
	env := []string{"AMQP_URL=" + s.servers.amqpURL(), "MQTT_ADDRESS=" + s.servers.mosquitto.Addr()}
	for _, name := range p.destinations() {
		env = slices.Concat(env, s.destinations[name].env())
	}
	return env
}

// returnPatience is how long RabbitMQ may take to count what a contender gave
// back when it ended.
const returnPatience = 30 * time.Second

// countedAnew is a time in which RabbitMQ counts the messages of every queue: it
// does so each second.
const countedAnew = 2 * time.Second

// carryBacklog has a competitor carry messages that wait for it, and fails
// unless all of them arrive.
func (s *stand) carryBacklog(ctx context.Context, p path, c competitor, l load, witnessed bool) (measurement, error) {
	label := p.name + ", " + c.name + ": "
	if err := s.prepare(ctx, p, witnessed); err != nil {
		return measurement{}, err
	}
	queues, n := s.queues(p), l.carried()
	published, err := queues.fill(ctx, l, func(done int) { s.progress.count(label+"filling", done, n) })
	if err != nil {
		return measurement{}, err
	}
	m, err := c.empty(ctx, s.env(p), func(ctx context.Context, _ int) error {
		all := queues.copies(n)
		shown := func(left int) { s.progress.count(label+"running", max(all-left, 0), all) }
		if err := queues.await(ctx, 0, shown); err != nil || !p.chain() {
			return err
		}
		// RabbitMQ counts each queue at a time of its own. Where one leads to others,
		// nothing is left when that is so after the first was counted as empty.
		if err := pause(ctx, countedAnew); err != nil {
			return err
		}
		return queues.await(ctx, 0, shown)
	})
	if err != nil {
		return m, err
	}
	m.messages = l.messages
	s.progress.say(label + "checking")
	return m, s.checkEmptied(ctx, p, published)
}

// prepare makes the destinations of a path ready for one run.
func (s *stand) prepare(ctx context.Context, p path, witnessed bool) error {
	for _, name := range p.destinations() {
		if err := s.destinations[name].prepare(ctx, witnessed); err != nil {
			return err
		}
	}
	return nil
}

// checkEmptied fails unless the queues stay empty after a run and everything
// that was published is at the destinations.
func (s *stand) checkEmptied(ctx context.Context, p path, published *published) error {
	settled, cancel := context.WithTimeout(ctx, returnPatience)
	defer cancel()
	if err := s.queues(p).await(settled, 0, func(int) {}); err != nil {
		return fmt.Errorf("it gave messages back: %w", err)
	}
	return s.check(ctx, p, published)
}

// check fails unless everything has arrived at all destinations of a path.
func (s *stand) check(ctx context.Context, p path, published *published) error {
	for _, name := range p.destinations() {
		if err := s.destinations[name].check(ctx, published); err != nil {
			return err
		}
	}
	return nil
}

// feed is the feed itself, with the configuration of a path.
func (s *stand) feed(p path) competitor {
	name, _ := p.sides()
	c := s.feedAs(name, p, p.leastBytes())
	if p.inPlugin {
		c.start = func(ctx context.Context) (measurement, error) { return s.startOf(ctx, p) }
	}
	return c
}

// baseline is what the feed is measured against: the plain loop, or a feed without
// a plugin.
func (s *stand) baseline(p path) competitor {
	_, name := p.sides()
	if p.inPlugin {
		without := p.inProcess()
		c := s.feedAs(name, without, p.leastBytes())
		c.start = func(ctx context.Context) (measurement, error) { return s.startOf(ctx, without) }
		return c
	}
	return competitor{name: name, empty: func(ctx context.Context, env []string, settled settled) (measurement, error) {
		return contender{name: name, args: slices.Concat([]string{s.programs.loop}, p.jobs()), env: env, leastBytes: p.leastBytes()}.run(ctx, settled)
	}}
}

func (s *stand) feedAs(name string, p path, leastBytes uint64) competitor {
	return competitor{name: name, empty: func(ctx context.Context, env []string, settled settled) (measurement, error) {
		c, err := s.feedContender(p, anyPort, env)
		if err != nil {
			return measurement{}, err
		}
		c.name, c.leastBytes = name, leastBytes
		return c.run(ctx, settled)
	}}
}

// feedContender writes the configuration of a path, and forgets earlier runs.
func (s *stand) feedContender(p path, admin string, env []string) (contender, error) {
	file := filepath.Join(s.dir, "feed.yaml")
	if err := os.WriteFile(file, []byte(p.yaml(s.dir, admin)), 0o600); err != nil {
		return contender{}, err
	}
	// Each run delivers the same batches for the first time.
	for _, file := range []string{"batches.db", "batches.db-wal", "batches.db-shm"} {
		if err := os.Remove(filepath.Join(s.dir, file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return contender{}, err
		}
	}
	return contender{
		name: "feed", args: []string{s.programs.feed, "run", file}, env: env, leastBytes: p.leastBytes(), parent: p.inPlugin,
	}, nil
}
