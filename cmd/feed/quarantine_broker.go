package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/quarantine"
)

// amqpFlags say where in a broker messages go.
type amqpFlags struct {
	exchange, routingKey string
	cmd                  *cobra.Command
}

func (f *amqpFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.exchange, "exchange", "", `with --to URL: exchange to publish to; "" is the default exchange (default: the one that each message came from)`)
	cmd.Flags().StringVar(&f.routingKey, "routing-key", "", "with --to URL: routing key of all messages (default: the one that each message came with)")
	f.cmd = cmd
}

// checkUnused refuses flags that would have no effect.
func (f *amqpFlags) checkUnused() error {
	for _, name := range []string{"exchange", "routing-key"} {
		if f.cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s has an effect with --to URL only", name)
		}
	}
	return nil
}

// destination returns the place in the broker at a URL.
func (f *amqpFlags) destination(to string) (*destination, error) {
	u, err := feed.ParseURL(to, os.LookupEnv)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	d := &destination{config: amqp.DefaultSinkConfig(), ownExchange: !f.cmd.Flags().Changed("exchange")}
	d.config.URL, d.config.Exchange, d.config.RoutingKey = u, f.exchange, f.routingKey
	if err := d.config.Validate(); err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	return d, nil
}

// destination is a place in a broker.
type destination struct {
	config      amqp.SinkConfig
	ownExchange bool // messages go to the exchange that they came from
}

// String names the place, without a password.
func (d *destination) String() string {
	s := d.config.URL.String()
	if d.ownExchange {
		s += ", their own exchange"
	} else {
		s += ", exchange " + cmp.Or(d.config.Exchange, "(default)")
	}
	if d.config.RoutingKey != "" {
		s += ", routing key " + d.config.RoutingKey
	}
	return s
}

// brokerReplay sends messages to a broker.
type brokerReplay struct {
	at quarantine.Place
	to *destination
}

func (b *brokerReplay) place() quarantine.Place             { return b.at }
func (b *brokerReplay) target(string) string                { return b.to.String() }
func (b *brokerReplay) check([]quarantine.RouteCount) error { return nil }

func (b *brokerReplay) run(ctx context.Context, c *cli, j job) error {
	return c.publish(ctx, j, b.to, j.editor.Replay(b.to.String(), j.words), "replayed")
}

// publishedPage is how many messages go to a broker before they are marked.
const publishedPage = 1000

// publish sends messages to a broker as they came, and marks those that it has
// confirmed. It ends with the first batch of which the broker refuses some
// that it may take later.
func (c *cli) publish(ctx context.Context, j job, to *destination, run *quarantine.Run, verb string) (err error) {
	ctx, stop := drainOnSignal(ctx, slog.New(slog.NewTextHandler(c.stderr, nil)))
	defer stop()
	p := publishing{to: to, sinks: map[string]*amqp.Sink{}, env: feed.StageEnv{Feed: "feed", Route: "quarantine", Logger: slog.New(slog.DiscardHandler)}}
	defer func() { err = errors.Join(err, p.close()) }()
	progress := c.startProgress(verb, j.total(), p.count)
	q := j.query
	q.Limit = publishedPage
	for err == nil {
		var items []quarantine.Item
		if items, err = j.editor.Fetch(ctx, q, publishedBytes); err != nil || len(items) == 0 {
			break
		}
		q.After = items[len(items)-1].ID
		err = p.page(ctx, items, run)
	}
	progress.stop()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // what was asked for; what is left is reported
	}
	total, sent := j.total(), p.count()
	fmt.Fprintf(c.stdout, "%d of %s %s to %s\n", sent, messages(total), verb, to)
	c.listErrors(p.refused)
	if err == nil && sent < total {
		err = errLeft
	}
	return err
}
