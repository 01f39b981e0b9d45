package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/kraft-edge/datafeed/feed"
)

// errNoRabbitMQ says that the machine cannot start a RabbitMQ.
var errNoRabbitMQ = errors.New("rabbitmq-server is not installed on this machine")

// howToGetRabbitMQ is shown when there is none.
//
//nolint:gosec // guest:guest is RabbitMQ's public default, no secret
const howToGetRabbitMQ = `No RabbitMQ on this machine: the devices hand their batches over in the process.
To see the real thing:  sudo apt-get install rabbitmq-server
or, with Docker:        docker compose -f deploy/compose.yaml up -d --wait
                        feed demo --amqp amqp://guest:guest@localhost:5672/`

// nodeStarter starts a RabbitMQ node that keeps its files in dir, and returns
// its URL. The closer stops the node and removes dir.
type nodeStarter func(ctx context.Context, dir string) (url string, node io.Closer, err error)

// place names what the demo uses in a RabbitMQ.
type place struct {
	url                string
	devices, telemetry string            // exchanges
	queues             map[string]string // by route
}

// privatePlace is in a node of the demo's own.
func privatePlace(url string) *place {
	queues := map[string]string{routeIngest: "batches", routeMQTT: "telemetry.mqtt", routeArchive: "telemetry.archive"}
	return &place{url: url, devices: "devices", telemetry: "telemetry", queues: queues}
}

// sharedPlace is in a node that others use too: the names are unlike any other.
func sharedPlace(url string) *place {
	p := privatePlace(url)
	prefix := "feed-demo-" + strings.ToLower(rand.Text()[:8]) + "."
	p.devices, p.telemetry = prefix+p.devices, prefix+p.telemetry
	for route, q := range p.queues {
		p.queues[route] = prefix + q
	}
	return p
}

// dial connects to the node. Its errors do not show the password.
func (p *place) dial() (*amqp.Connection, error) {
	u, err := url.Parse(p.url)
	if err != nil || u.Scheme != "amqp" && u.Scheme != "amqps" {
		return nil, errors.New("--amqp: not a URL such as amqp://user:password@host:5672/")
	}
	conn, err := amqp.DialConfig(p.url, amqp.Config{Heartbeat: 10 * time.Second, Dial: amqp.DefaultDial(5 * time.Second)})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", feed.NewURL(p.url), err)
	}
	return conn, nil
}

// check reports whether the node can be reached.
func (p *place) check() error {
	conn, err := p.dial()
	if err != nil {
		return err
	}
	return conn.Close()
}

// remove deletes the exchanges and the queues.
func (p *place) remove() error {
	conn, err := p.dial()
	if err != nil {
		return fmt.Errorf("delete what the demo declared: %w", err)
	}
	defer conn.Close() //nolint:errcheck // what was deleted is deleted
	ch, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("delete what the demo declared: %w", err)
	}
	var errs []error
	for _, q := range p.queues {
		if _, err := ch.QueueDelete(q, false, false, false); err != nil {
			errs = append(errs, fmt.Errorf("delete queue %s: %w", q, err))
		}
	}
	for _, x := range []string{p.devices, p.telemetry} {
		if err := ch.ExchangeDelete(x, false, false); err != nil {
			errs = append(errs, fmt.Errorf("delete exchange %s: %w", x, err))
		}
	}
	return errors.Join(errs...)
}
