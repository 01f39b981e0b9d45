// Command plainloop is what the feed is measured against: the two jobs of the
// benchmark, written by hand over the stock client libraries (amqp091-go,
// paho.golang, azblob), as well as these allow.
//
// It does the job and nothing else: it acknowledges only what is durable, in
// batches, keeps many messages in flight and drains on SIGTERM; but it ends at
// the first failure, and neither retries, counts, quarantines nor reconnects.
// What it has left out is what a feed adds, and the comparison shows what that
// costs.
//
//	plainloop mqtt
//	plainloop blob
//
// Where from and where to come from the environment: AMQP_URL, QUEUE,
// PREFETCH; MQTT_ADDRESS; BLOB_CONNECTION, CONTAINER, BATCH.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plainloop:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if len(args) == 1 {
		switch args[0] {
		case "mqtt":
			return toMQTT(ctx)
		case "blob":
			return toBlob(ctx)
		}
	}
	return errors.New("usage: plainloop mqtt|blob")
}

// number returns the positive number in an environment variable.
func number(name string) (int, error) {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 1 {
		return 0, fmt.Errorf("%s: %q is no positive number", name, os.Getenv(name))
	}
	return n, nil
}
