package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	watermill "github.com/ThreeDotsLabs/watermill/message"
	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/stages/amqp"
	"github.com/kraft-edge/datafeed/stages/generate"
	"github.com/kraft-edge/datafeed/stages/http"
	"github.com/kraft-edge/datafeed/stages/mqtt"
	"github.com/kraft-edge/datafeed/stages/quarantine"
	"github.com/kraft-edge/datafeed/stages/simulate"
)

const replayHelp = `Sends quarantined messages again, the oldest first, with the payload and the
typed properties that they came with: through their route, that is the
transforms and the sink that the configuration has now; through another route (--to NAME); or
to RabbitMQ (--to URL), to the exchange and with the routing key that they came
with, or those that are given.

A message is marked when it is durable where it went, and then not sent again,
unless --again is given. What is refused again, or not sent, stays as it was. A
replay that is killed between sending and marking leaves messages, at most those
of one batch, that the next one sends a second time.

The feed may run meanwhile. Ctrl-C finishes what is in flight and stops; the
next replay goes on from there.`

// errLeft says that a report shows messages that stay; it has been printed.
var errLeft = errors.New("not all messages are done: see above")

func (c *cli) quarantineReplay() *cobra.Command {
	var (
		sel            selection
		to             string
		target         amqpFlags
		file, feedName string
		again, dryRun  bool
	)
	cmd := &cobra.Command{
		Use:   "replay --config FILE",
		Short: "Send messages again: through their route, or to RabbitMQ",
		Long:  replayHelp,
		Args:  arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if file == "" {
				return errors.New("say which configuration: --config FILE")
			}
			if err := sel.check(); err != nil {
				return err
			}
			return c.withPlugins(cmd.Context(), file, c.loggerOf(file), func(c *cli) (err error) {
				q := sel.query()
				if q.State = quarantine.StateUnreplayed; again {
					q.State = ""
				}
				run, err := c.newReplay(file, feedName, to, target)
				if err != nil {
					return err
				}
				editor, err := openEditor(cmd.Context(), run.place())
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, failed(editor.Close())) }()
				j, err := newJob(cmd.Context(), editor, q, sel.words())
				if err != nil {
					return failed(err)
				}
				if len(j.counts) == 0 {
					return failed(c.nothingToReplay(cmd.Context(), editor, q))
				}
				if err := run.check(j.counts); err != nil {
					return err
				}
				if dryRun {
					for _, n := range j.counts {
						fmt.Fprintf(c.stdout, "would replay %s (%s) of route %s to %s\n", messages(n.Messages), n.Bytes, oneLine(n.Route, 100), run.target(n.Route))
					}
					return nil
				}
				return failed(run.run(cmd.Context(), c, j))
			})
		},
	}
	sel.registerAll(cmd)
	cmd.Flags().StringVar(&file, "config", "", "configuration that names the quarantine and has the routes")
	cmd.Flags().StringVar(&to, "to", "", "route of the configuration, or amqp:// URL, which may hold ${NAME} (default: the route that each message came from)")
	target.register(cmd)
	registerFeed(cmd, &feedName)
	cmd.Flags().BoolVar(&again, "again", false, "send also what was replayed before")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be sent, and send nothing")
	return cmd
}

// job is which messages a replay, an export or a purge is about.
type job struct {
	editor *quarantine.Editor
	query  quarantine.Query
	words  string // of the selection
	counts []quarantine.RouteCount
}

// newJob counts the messages that q chooses now. What a feed adds meanwhile is
// not among them.
func newJob(ctx context.Context, e *quarantine.Editor, q quarantine.Query, words string) (job, error) {
	q, err := e.Snapshot(ctx, q)
	if err != nil {
		return job{}, err
	}
	counts, err := e.CountByRoute(ctx, q)
	return job{e, q, words, counts}, err
}

// total is the number of its messages.
func (j job) total() (n int64) {
	for _, c := range j.counts {
		n += c.Messages
	}
	return n
}

// replay is a way to send messages again.
type replay interface {
	place() quarantine.Place
	// check refuses messages of routes that it cannot deal with.
	check([]quarantine.RouteCount) error
	// target says where messages of a route go.
	target(route string) string
	run(context.Context, *cli, job) error
}

// newReplay finds the way.
func (c *cli) newReplay(file, feedName, to string, target amqpFlags) (replay, error) {
	if strings.Contains(to, "://") || strings.Contains(to, "${") { // no route has such a name
		p, err := placeIn(file, feedName)
		if err != nil {
			return nil, err
		}
		dest, err := target.destination(to)
		if err != nil {
			return nil, err
		}
		return &brokerReplay{at: p, to: dest}, nil
	}
	if err := target.checkUnused(); err != nil {
		return nil, err
	}
	cfg, err := config.Load(file, c.registry)
	if err != nil {
		return nil, err
	}
	if cfg.Quarantine.Off() {
		return nil, fmt.Errorf("%s has no quarantine: write quarantine: {path: …}", file)
	}
	if to != "" && !slices.ContainsFunc(cfg.Routes, func(r *config.Route) bool { return r.Name == to }) {
		return nil, fmt.Errorf("--to: %s has no route %q: %s", file, oneLine(to, 60), config.DidYouMean(to, routeNames(cfg)))
	}
	return &routeReplay{config: cfg, file: file, feed: feedName, to: to}, nil
}

func routeNames(cfg *config.Config) []string {
	names := make([]string, len(cfg.Routes))
	for i, r := range cfg.Routes {
		names[i] = r.Name
	}
	return names
}

// nothingToReplay says why.
func (c *cli) nothingToReplay(ctx context.Context, e *quarantine.Editor, q quarantine.Query) error {
	q.State = quarantine.StateReplayed
	counts, err := e.CountByRoute(ctx, q)
	if err != nil {
		return err
	}
	if n := (job{counts: counts}).total(); n > 0 {
		fmt.Fprintf(c.stdout, "nothing to replay: the selection has %s, replayed before (--again sends them once more)\n", messages(n))
		return nil
	}
	fmt.Fprintln(c.stdout, "nothing to replay: the selection has no messages")
	return nil
}

// restorers make messages of what sources describe, by format.
var restorers = map[string]quarantine.Restore{
	amqp.Format:          amqp.Restore,
	generate.Format:      generate.Restore,
	http.Format:          http.Restore,
	mqtt.Format:          mqtt.Restore,
	simulate.Format:      simulate.Restore,
	feed.FormatWatermill: feed.RestoreWatermill,
}

// restore makes the message of a quarantined original as its source made it.
func restore(o feed.Original) (*watermill.Message, error) {
	f, ok := restorers[o.Format]
	if !ok {
		return nil, fmt.Errorf("its properties have the format %q, which this program cannot read", oneLine(o.Format, 60))
	}
	return f(o)
}

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

func were(n int64) string {
	if n == 1 {
		return "1 message was"
	}
	return fmt.Sprintf("%d messages were", n)
}
