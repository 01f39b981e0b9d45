package demo

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Off is the URL of RabbitMQ that demonstrates without one.
const Off = "off"

// Options say what to demonstrate.
type Options struct {
	// Registry holds the stages of the feeds.
	Registry *feed.Registry
	// For is how long the devices send.
	For time.Duration
	// Stop, when closed, ends that early. It may be nil.
	Stop <-chan struct{}
	// AMQP is the URL of a RabbitMQ to use; empty starts a private one if the
	// machine can, and Off uses none.
	AMQP string
	// Postgres is the URL of a PostgreSQL database that gets the readings, too;
	// empty uses none.
	Postgres string
	// Rate is in readings a second; 0 is as fast as they are taken.
	Rate int
	// Devices is how many devices there are.
	Devices int
	// Dir keeps the files of the feeds, their log, the blobs and the data of the
	// cloud API. It must be empty or not exist. Without it they stand in a temporary
	// directory and are removed.
	Dir string
	// Page is the file that the report of the validation is written to, which must
	// not exist. Empty: report.html in Dir, or none.
	Page string
	// Progress is where progress is shown; a terminal gets a live picture.
	Progress io.Writer
	// Color permits colours on a terminal.
	Color bool

	// startRabbitMQ starts a private node, or returns errNoRabbitMQ.
	startRabbitMQ nodeStarter
	// drainWithin bounds the wait for what is on its way when sending ends.
	drainWithin time.Duration
}

// The defaults of the command.
const (
	DefaultFor     = 20 * time.Second
	DefaultRate    = 2000
	DefaultDevices = 40
)

// Validate reports what is wrong with the options.
func (o *Options) Validate() error {
	var errs []error
	if o.For <= 0 {
		errs = append(errs, fmt.Errorf("--for: %v is not positive", o.For))
	}
	if o.Rate < 0 || o.Rate > 1_000_000 {
		errs = append(errs, fmt.Errorf("--rate: %d is not between 0 and 1000000", o.Rate))
	}
	if o.Devices < 1 || o.Devices > 10_000 {
		errs = append(errs, fmt.Errorf("--devices: %d is not between 1 and 10000", o.Devices))
	}
	return errors.Join(errs...)
}

func (o *Options) setDefaults() {
	if o.startRabbitMQ == nil {
		o.startRabbitMQ = startPrivateNode
	}
	if o.drainWithin == 0 {
		o.drainWithin = 3 * time.Minute
	}
}
