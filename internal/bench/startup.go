package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/kraft-edge/datafeed/internal/testenv/server"
)

// startup is what the feed takes before the first message.
type startup struct {
	ready    []float64 // ms from the start of the process until /readyz says 200
	lint     []float64 // ms that feed lint takes for the main job's file
	binary   int64     // bytes, as "make build" makes it
	stripped int64     // bytes without symbols and debug information
}

const (
	// readyGoal and lintGoal are in milliseconds.
	readyGoal = 300
	lintGoal  = 50
	// linted is the main job's file, in the repository.
	linted = "examples/feeds/telemetry.yaml"
	// askReadyEvery bounds how exactly the time until readiness is known.
	askReadyEvery = time.Millisecond
	readyPatience = 30 * time.Second
)

// measureStartup starts the feed n times with its brokers up and its queue
// empty, and checks the main job's file n times.
func measureStartup(ctx context.Context, s *stand, n int, out io.Writer) (*startup, error) {
	p, _ := findPath("mqtt")
	if err := s.queues(p).declare(); err != nil {
		return nil, err
	}
	r := &startup{}
	err := errors.Join(s.measureReady(ctx, p, n, r), s.queues(p).remove())
	if err == nil {
		err = s.measureLint(ctx, n, r)
	}
	if err == nil {
		err = s.measureSize(ctx, r)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", startupName, err)
	}
	s.progress.clear()
	fmt.Fprintf(out, "Start: ready after %s ms, feed lint %s ms\n", spread(summarize(r.ready), "%.0f"), spread(summarize(r.lint), "%.0f"))
	return r, nil
}

func (s *stand) measureReady(ctx context.Context, p path, n int, r *startup) error {
	admin, release, err := reserveAdmin()
	if err != nil {
		return err
	}
	defer release()
	feed, err := s.feedContender(p, admin, s.env(p))
	if err != nil {
		return err
	}
	for i := range n {
		s.progress.count("starting the feed", i, n)
		_, took, err := feed.becomeReady(ctx, admin)
		if err != nil {
			return err
		}
		r.ready = append(r.ready, milliseconds(took))
	}
	return nil
}

// startOf measures one start of the feed on a path, with nothing to do.
func (s *stand) startOf(ctx context.Context, p path) (measurement, error) {
	admin, release, err := reserveAdmin()
	if err != nil {
		return measurement{}, err
	}
	defer release()
	c, err := s.feedContender(p, admin, s.env(p))
	if err != nil {
		return measurement{}, err
	}
	m, _, err := c.becomeReady(ctx, admin)
	return m, err
}

// reserveAdmin returns an address for an admin server that is asked.
func reserveAdmin() (admin string, release func(), err error) {
	var ports server.Ports
	port, err := ports.Reserve()
	if err != nil {
		return "", nil, err
	}
	return server.Address(port), func() { _ = ports.Release() }, nil // the reservation ends with the process, too
}

// becomeReady starts a feed that finds nothing to do, stops it once it is ready,
// and returns how long that took.
func (c contender) becomeReady(ctx context.Context, admin string) (m measurement, took time.Duration, err error) {
	begin := time.Now()
	m, err = c.run(ctx, func(ctx context.Context, _ int) error {
		err := awaitReady(ctx, "http://"+admin+"/readyz")
		took = time.Since(begin)
		return err
	})
	return m, took, err
}

// awaitReady asks until the answer is 200.
func awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyPatience)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ask := time.NewTicker(askReadyEvery)
	defer ask.Stop()
	for {
		var last string // answer, for the error
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		answer, err := client.Do(request)
		if err != nil {
			last = err.Error()
		} else {
			body, err := io.ReadAll(answer.Body)
			if err := errors.Join(err, answer.Body.Close()); err != nil {
				return fmt.Errorf("ask for readiness: %w", err)
			}
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			last = string(body)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until the feed is ready: %w: %s", context.Cause(ctx), last)
		case <-ask.C:
		}
	}
}

func (s *stand) measureLint(ctx context.Context, n int, r *startup) error {
	for i := range n {
		s.progress.count("feed lint", i, n)
		cmd := exec.CommandContext(ctx, s.programs.feed, "lint", linted)
		cmd.Dir = s.root
		cmd.Env = append(os.Environ(), "AMQP_URL="+s.servers.amqpURL(), "MQTT_URL=mqtt://"+s.servers.mosquitto.Addr(),
			"AZURE_STORAGE_CONNECTION_STRING="+s.servers.blobConnection())
		begin := time.Now()
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("feed lint: %w\n%s", err, out)
		}
		r.lint = append(r.lint, milliseconds(time.Since(begin)))
	}
	return nil
}

func (s *stand) measureSize(ctx context.Context, r *startup) error {
	s.progress.say("building the feed without symbols")
	stripped := filepath.Join(s.dir, "feed-stripped")
	if err := goBuild(ctx, s.root, stripped, feedSource, "-ldflags=-s -w"); err != nil {
		return err
	}
	for program, size := range map[string]*int64{s.programs.feed: &r.binary, stripped: &r.stripped} {
		info, err := os.Stat(program)
		if err != nil {
			return err
		}
		*size = info.Size()
	}
	return nil
}

// checks compares the start with its goals.
func (s *startup) checks() []check {
	one := func(what string, values []float64, limit float64) check {
		took := summarize(values)
		return check{of: "Start", what: what, measured: spread(took, "%.0f") + " ms", goal: fmt.Sprintf("< %g ms", limit), met: took.median < limit}
	}
	return []check{
		one("`feed run` until ready", s.ready, readyGoal),
		one("`feed lint`", s.lint, lintGoal),
	}
}

// sizes says how large the binary is.
func (s *startup) sizes() string {
	text := fmt.Sprintf("%.1f MiB", mebibytes(s.binary))
	if s.stripped != s.binary {
		text += fmt.Sprintf(", without symbols and debug information (`-ldflags \"-s -w\"`) %.1f MiB", mebibytes(s.stripped))
	}
	return text
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
