package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
	"github.com/kraft-edge/datafeed/stages"
)

// profileAll runs the feed of each path in this process under the CPU profiler
// and prints where the time went. The profiles stay in the working directory.
func profileAll(ctx context.Context, s *stand, o options, out io.Writer) error {
	for _, p := range o.paths {
		if p.steady {
			continue // a rate says how much of a profile is waiting, and nothing more
		}
		file := "feed-" + p.name + ".prof"
		c := competitor{name: "feed under the profiler", empty: func(ctx context.Context, env []string, settled settled) (measurement, error) {
			return measurement{}, s.runProfiled(ctx, p, env, file, settled)
		}}
		if err := s.queues(p).declare(); err != nil {
			return err
		}
		_, err := s.carryWaiting(ctx, p, c, o.on(p), false)
		if err := errors.Join(err, s.queues(p).remove()); err != nil {
			return fmt.Errorf("%s, %s: %w", p.name, c.name, err)
		}
		s.progress.clear()
		for _, order := range []string{"flat", "cum"} {
			fmt.Fprintf(out, "\n%s, by %s time\n", p.title, order)
			if err := printTop(ctx, file, order, out); err != nil {
				return err
			}
		}
		fmt.Fprintf(out, "\nmore: go tool pprof -http : %s\n", file)
	}
	return nil
}

// runProfiled runs a feed until settled returns. The profile includes what this
// process does to know that, and nothing of a plugin.
func (s *stand) runProfiled(ctx context.Context, p path, env []string, file string, settled settled) (err error) {
	factories := stages.All()
	if p.inPlugin {
		settings := config.Plugins{Directory: filepath.Dir(s.programs.plugin), Limits: config.DefaultPluginLimits}
		h, err := host.Open(ctx, settings, slog.Default())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, h.Close()) }()
		factories = append(factories, h.Factories()...)
	}
	registry, err := feed.NewRegistry(factories...)
	if err != nil {
		return err
	}
	c, err := config.Parse("bench", []byte(p.yaml(s.dir, anyPort)), registry, func(name string) (string, bool) {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value, true
			}
		}
		return "", false
	})
	if err != nil {
		return err
	}
	opts, routes, err := c.Build(slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	f, err := feed.New(opts, routes...)
	if err != nil {
		return err
	}
	profile, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(profile); err != nil {
		return errors.Join(err, profile.Close())
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- f.Run(running) }()
	err = settled(running, os.Getpid())
	stop()
	err = errors.Join(err, <-ended)
	pprof.StopCPUProfile()
	return errors.Join(err, profile.Close())
}

// profilePatience bounds go tool pprof.
const profilePatience = time.Minute

func printTop(ctx context.Context, file, order string, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	args := []string{"tool", "pprof", "-top", "-nodecount=25"}
	if order == "cum" {
		args = append(args, "-cum")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, file)...)
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go tool pprof %s: %w", filepath.Base(file), err)
	}
	return nil
}
