package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/internal/capacity"
)

const capacityHelp = `Reckons, from files alone, how long an outage the volumes of a feed bridge, what is
full first, and what happens then: senders are held back, or messages lost.

FILE is any of these; the more of them, the more is known:

  feed.yaml           queues and streams that routes declare, tables in PostgreSQL,
                      quarantine, cache of unbatch, validator, ledger; addresses and
                      secrets need not be there, and the environment is not asked
  definitions.json    queues and policies of RabbitMQ
  rabbitmq.conf       what must stay free on its disk
  postgresql.conf     what is on its disk beside the tables
  mosquitto.conf      what is kept for a subscriber that is away
  objects.yaml        objects of Kubernetes with all of these in ConfigMaps, and the
                      sizes of volumes

FILE may be - for standard input. Without objects of Kubernetes a volume gets its
size by --volume: rabbitmq=5Gi, postgres=40Gi, mosquitto=5Gi, and for the files of
a feed the feed's name.

It is the worst case: every queue gets every reading, and all of them fill at once.
The exit code is 1 when there are warnings, of what does not last for --target or is
bounded wrongly, and 2 when a file or a flag is wrong.`

// sizing is what the flags of feed capacity say.
type sizing struct {
	load    capacity.Load
	bytes   string
	target  time.Duration
	volumes []string
	asJSON  bool
}

func (c *cli) capacityCommand() *cobra.Command {
	o := sizing{load: capacity.DefaultLoad()}
	cmd := &cobra.Command{
		Use:   "capacity FILE... --rate N",
		Short: "Reckon how long an outage the volumes bridge",
		Long:  capacityHelp,
		Args:  arguments(1, -1),
		RunE:  func(_ *cobra.Command, files []string) error { return c.capacity(files, o) },
	}
	f := cmd.Flags()
	f.Float64Var(&o.load.Rate, "rate", 0, "readings that come in each second")
	f.StringVar(&o.bytes, "bytes", o.load.Bytes.String(), "mean length of a reading as JSON")
	f.IntVar(&o.load.BatchReadings, "batch", o.load.BatchReadings, "readings that a device puts into a batch")
	f.DurationVar(&o.target, "target", 72*time.Hour, "outage that is to be bridged")
	f.StringArrayVar(&o.volumes, "volume", nil, "size of a volume, such as rabbitmq=5Gi; may be repeated")
	f.BoolVar(&o.asJSON, "json", false, "print JSON")
	return cmd
}

// capacity reckons with what files say, and reports.
func (c *cli) capacity(files []string, o sizing) error {
	plan, err := o.plan()
	if err != nil {
		return err
	}
	sizes, err := o.sizes()
	if err != nil {
		return err
	}
	for _, file := range files {
		data, err := c.readLimited(file)
		if err != nil {
			return err
		}
		if err := plan.AddFile(c.registry, file, data); err != nil {
			return err
		}
	}
	for name, size := range sizes { // they win over what objects of Kubernetes say
		plan.SetVolume(name, size)
	}
	report, err := plan.Reckon(o.target)
	if err != nil {
		return err
	}
	if o.asJSON {
		err = writeJSON(c.stdout, report)
	} else {
		err = writeCapacity(c.stdout, report)
	}
	if n := len(report.Warnings); err == nil && n > 0 {
		err = fmt.Errorf("it is not sure that %s are bridged: see the warnings, %d in all", report.Target, n)
	}
	return failed(err)
}

// plan checks the flags and returns a plan without anything in it.
func (o *sizing) plan() (*capacity.Plan, error) {
	size, err := feed.ParseSize(o.bytes)
	if err != nil {
		return nil, &feed.ConfigError{Key: "--bytes", Problem: err.Error(), Remedy: "write the mean length of a reading as JSON, such as 150B"}
	}
	if o.load.Bytes = size; o.target <= 0 {
		return nil, &feed.ConfigError{Key: "--target", Problem: fmt.Sprintf("%s is no time that an outage lasts", o.target), Remedy: "write a duration such as 72h"}
	}
	if err := o.load.Validate(); err != nil {
		return nil, err
	}
	return capacity.NewPlan(o.load), nil
}

// sizes reads flags such as rabbitmq=5Gi.
func (o *sizing) sizes() (map[string]feed.Size, error) {
	all := make(map[string]feed.Size)
	for _, text := range o.volumes {
		name, quantity, found := strings.Cut(text, "=")
		if !found || name == "" {
			return nil, &feed.ConfigError{Key: "--volume", Problem: fmt.Sprintf("%q is no volume with its size", text), Remedy: "write NAME=SIZE, such as rabbitmq=5Gi"}
		}
		size, err := capacity.ParseQuantity(quantity)
		if err != nil {
			return nil, &feed.ConfigError{Key: "--volume", Problem: err.Error()}
		}
		all[name] = size
	}
	return all, nil
}

// maxCapacityFile bounds what is read of a file: the objects of a whole site are
// far smaller.
const maxCapacityFile = 16 << 20

// readLimited reads a file, or standard input for "-".
func (c *cli) readLimited(file string) ([]byte, error) {
	from := c.stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, maxCapacityFile+1))
	switch {
	case err != nil:
		return nil, failed(fmt.Errorf("read %s: %w", file, err))
	case len(data) > maxCapacityFile:
		return nil, errors.New(file + ": it is larger than 16 MiB, as no configuration is")
	}
	return data, nil
}
