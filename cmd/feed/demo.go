package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/internal/demo"
)

const demoHelp = `Shows the whole process on one machine. Simulated devices send batches of
readings to RabbitMQ, some of them damaged, repeated or late; a feed unpacks them
and carries the readings on to MQTT 5 and to files. The same devices deliver the
same batches, as they should be, to the stand-in for a cloud API. In the end
everything that has arrived is compared with what that API serves, reading by
reading, and every hop is accounted for; feed validate says its verdict of the
files, and writes a report to look at, into --dir or among the temporary files.

It starts a private RabbitMQ when rabbitmq-server is on the machine (or uses
--amqp URL: names of its own, deleted at the end; --amqp off: the devices hand
their batches to the feed in the process), an MQTT broker inside the process
that asks for a service account token as Azure IoT Operations does, and the
cloud API. With --postgres the readings go to PostgreSQL, too, into a schema of
its own that is dropped at the end. It writes devices.yaml and feed.yaml, and
runs them as "feed run" does. Everything private but the report is removed at the
end, except with --dir. Ctrl-C ends the sending; a second one ends the demo at once.

It exits with 0 only when every place has the readings of the API, as they are
and nothing else, what was damaged stands in the quarantine, and the accounts of
the feeds balance; with 1 otherwise, naming the first readings that are missing
or altered.

The document of --json has these keys:

  complete, problems[]                  the verdict, and why it is not good
  source                                rabbitmq or in-process
  devices, truth                        what was sent to the feed and to the API:
                                        batches, readings, messages, bytes, bitFlips,
                                        truncated, wrongCounts, bombs, duplicates,
                                        reordered, garbage, conflicts; devices.count
  api                                   what it serves: readings, pages
  rate                                  readings sent per second
  mqtt, blobs, postgresql               expected, arrived, missing, altered,
                                        unexpected, duplicates, disordered,
                                        unreadable, firstMissing[] and
                                        firstAltered[] (device/seq), firstBad;
                                        blobs.objects
  validation                            what feed validate says of the files:
                                        outcome, reasons[], from, to, counts, page
  routes[]                              name, from, to, deliveries{received,
                                        delivered, filtered, quarantined, returned,
                                        inFlight}, produced{the same}, balances,
                                        batches, retries, redelivered, reordered
  quarantine                            messages by reason
  startSeconds, sendSeconds, drainSeconds, compareSeconds, rssBytes,
  peakRSSBytes, files[]`

// errDemo says that the report of the demo is not good; it has said why.
var errDemo = errors.New("the demo failed: see above")

func (c *cli) demoCommand() *cobra.Command {
	o := demo.Options{Registry: c.registry, Progress: c.stdout}
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole process: devices to RabbitMQ, MQTT and files, and compare what arrives",
		Long:  demoHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.Validate(); err != nil {
				return err
			}
			if asJSON {
				o.Progress = c.stderr
			}
			if o.Dir == "" && !asJSON { // who reads the verdict may want to look at it
				o.Page = filepath.Join(os.TempDir(), "feed-demo-"+time.Now().UTC().Format("20060102-150405.000")+".html")
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
	cmd.Flags().DurationVar(&o.For, "for", demo.DefaultFor, "how long the devices send")
	cmd.Flags().StringVar(&o.AMQP, "amqp", "", "URL of a RabbitMQ to use, or off for none (default: a private one)")
	cmd.Flags().IntVar(&o.Rate, "rate", demo.DefaultRate, "readings a second; 0 is as fast as they are taken")
	cmd.Flags().IntVar(&o.Devices, "devices", demo.DefaultDevices, "how many devices there are")
	cmd.Flags().StringVar(&o.Postgres, "postgres", "", "URL of a PostgreSQL database that gets the readings, too")
	cmd.Flags().StringVar(&o.Dir, "dir", "", "new directory that keeps the feeds, their log and the files")
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
