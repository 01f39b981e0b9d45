package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// job is what one loop does.
type job struct {
	name     string
	queue    string
	prefetch int
	batch    int // messages of a blob, readings of a transaction
}

// jobs are the loops by name.
var jobs = map[string]func(context.Context, job) error{
	"mqtt":      func(ctx context.Context, j job) error { return toMQTT(ctx, j, topicOfKey) },
	"mqtt-json": func(ctx context.Context, j job) error { return toMQTT(ctx, j, topicOfPayload) },
	"blob":      toBlob,
	"unbatch":   unbatch,
	"ingest":    ingest,
	"mqtt-blob": fromMQTT,
}

// parseJob reads an argument.
func parseJob(arg string) (job, error) {
	parts := strings.Split(arg, ":")
	if len(parts) != 4 {
		return job{}, fmt.Errorf("%q is not JOB:QUEUE:PREFETCH:BATCH", arg)
	}
	j := job{name: parts[0], queue: parts[1]}
	if jobs[j.name] == nil {
		return job{}, fmt.Errorf("%q: there is no job %q; there are mqtt, mqtt-json, blob, unbatch, ingest and mqtt-blob", arg, j.name)
	}
	var err error
	if j.prefetch, err = strconv.Atoi(parts[2]); err != nil || j.prefetch < 1 {
		return job{}, fmt.Errorf("%q: the prefetch is no positive number", arg)
	}
	if j.batch, err = strconv.Atoi(parts[3]); err != nil || j.batch < 1 && slices.Contains([]string{"blob", "ingest", "mqtt-blob"}, j.name) {
		return job{}, fmt.Errorf("%q: the batch is no positive number", arg)
	}
	return j, nil
}

// run runs the job until ctx ends and everything that was delivered is settled.
func (j job) run(ctx context.Context) error {
	if err := jobs[j.name](ctx, j); err != nil {
		return fmt.Errorf("%s: %w", j.name, err)
	}
	return nil
}
