// Command plainloop is what the feed is measured against: the jobs of the
// benchmark, written by hand over the stock client libraries (amqp091-go,
// paho.golang, azblob, pgx), as well as these allow.
//
// It does the job and nothing else: it acknowledges only what is durable, in
// batches, keeps many messages in flight and drains on SIGTERM; but it ends at
// the first failure, and neither retries, counts, quarantines nor reconnects.
// What it has left out is what a feed adds, and the comparison shows what that
// costs.
//
//	plainloop JOB:QUEUE:PREFETCH:BATCH...
//
// JOB is mqtt, mqtt-json (topics from the payload), blob, unbatch, which
// unpacks batches, ingest, which also stores their readings in PostgreSQL, or
// mqtt-blob, which takes from an MQTT session instead of the queue. Those to
// blobs and to PostgreSQL make batches. Each job has connections of its own. Where
// the servers are comes from the environment: AMQP_URL; MQTT_ADDRESS;
// BLOB_CONNECTION, CONTAINER; POSTGRES_URL.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sync/errgroup"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "plainloop:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("say what to do: plainloop JOB:QUEUE:PREFETCH:BATCH [JOB:…]")
	}
	todo := make([]job, len(args))
	for i, arg := range args {
		var err error
		if todo[i], err = parseJob(arg); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	running, ctx := errgroup.WithContext(ctx)
	for _, j := range todo {
		running.Go(func() error { return j.run(ctx) })
	}
	return running.Wait()
}
