package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/internal/demo"
)

const demoHelp = `Shows the main job at work: a simulated factory publishes readings to RabbitMQ,
a feed carries them to MQTT 5 and to files, and witnesses that believe nothing
the feed says count what has arrived.

It starts a private RabbitMQ when rabbitmq-server is on the machine (or uses
--amqp URL: names of its own, deleted at the end; --amqp off: an in-process
source instead) and an MQTT broker inside the process, writes a feed.yaml, and
runs it as "feed run" does. Everything private is removed at the end, except
with --dir. Ctrl-C ends the publishing; a second one ends the demo at once.

It exits with 0 only when every published reading has arrived at both places,
nothing else has, and the feed's own accounts balance; with 1 otherwise, naming
the first readings that are missing.

The document of --json has these keys:

  complete, problems[]                  the verdict, and why it is not good
  source                                rabbitmq or generator
  published, republished, rate          confirmed readings; sent again; per second
  mqtt, blobs                           expected, arrived, missing, unexpected,
                                        duplicates, disordered, unreadable,
                                        firstMissing[] (device/seq); blobs.objects
  routes[]                              name, deliveries{received, delivered,
                                        filtered, quarantined, returned, inFlight},
                                        balances, batches, retries, redelivered,
                                        reordered
  startSeconds, publishSeconds, drainSeconds, rssBytes, peakRSSBytes, file`

// errDemo says that the report of the demo is not good; it has said why.
var errDemo = errors.New("the demo failed: see above")

func (c *cli) demoCommand() *cobra.Command {
	o := demo.Options{Registry: c.registry, Progress: c.stdout}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job at work: RabbitMQ to MQTT and files, and count what arrives",
		Long:  demoHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return err
			}
			if asJSON {
				o.Progress = c.stderr
			}
			o.Color = os.Getenv("NO_COLOR") == ""
			ctx, stop, done := stopThenCancel(cmd.Context())
			defer done()
			o.Stop = stop
			report, err := demo.Run(ctx, o)
			if report != nil {
				err = errors.Join(err, c.writeReport(report, asJSON, o.Color))
				if !report.Complete {
					err = errors.Join(err, errDemo)
				}
			}
			return failed(err)
		},
	}
	cmd.Flags().DurationVar(&o.For, "for", demo.DefaultFor, "how long the factory publishes")
	cmd.Flags().StringVar(&o.AMQP, "amqp", "", "URL of a RabbitMQ to use, or off for none (default: a private one)")
	cmd.Flags().IntVar(&o.Rate, "rate", demo.DefaultRate, "readings a second; 0 is as fast as they are confirmed")
	cmd.Flags().IntVar(&o.Devices, "devices", demo.DefaultDevices, "devices of the factory")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "new directory that keeps feed.yaml, its log and the files")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the outcome as JSON, and progress to standard error")
	return cmd
}

func (c *cli) writeReport(r *demo.Report, asJSON, color bool) error {
	if asJSON {
		return writeJSON(c.stdout, r)
	}
	return r.Write(c.stdout, color && demo.IsTerminal(c.stdout))
}

// stopThenCancel returns a channel that the first SIGINT or SIGTERM closes and
// a context that the second one ends; a third one ends the process. done gives
// the signals back and waits.
func stopThenCancel(ctx context.Context) (_ context.Context, stop <-chan struct{}, done func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	stopping, ended := make(chan struct{}), make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Go(func() {
		for _, act := range []func(){func() { close(stopping) }, func() { cancel(); signal.Stop(signals) }} {
			select {
			case <-signals:
				act()
			case <-ended:
				return
			}
		}
	})
	return ctx, stopping, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(ended)
		watcher.Wait()
		cancel()
	})
}
