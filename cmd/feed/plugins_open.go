package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/host"
)

// openPlugins is host.Open, or host.Start for a feed that runs.
type openPlugins func(context.Context, config.Plugins, *slog.Logger) (*host.Host, error)

// withPlugins does something with the stages of the program and of the plugins that
// a file names, which run meanwhile.
func (c *cli) withPlugins(ctx context.Context, file string, log *slog.Logger, do func(*cli) error) error {
	return c.withPluginsOf(ctx, file, host.Open, log, do)
}

// withPluginsOf is withPlugins with plugins that open opens.
func (c *cli) withPluginsOf(ctx context.Context, file string, open openPlugins, log *slog.Logger, do func(*cli) error) error {
	settings, err := config.LoadPlugins(file)
	if err != nil {
		return withoutPlugins(err, do(c))
	}
	return c.withPluginsIn(ctx, filepath.Dir(file), settings, open, log, do)
}

// withPluginsIn is withPluginsOf for settings of a file in dir.
func (c *cli) withPluginsIn(ctx context.Context, dir string, settings config.Plugins, open openPlugins, log *slog.Logger, do func(*cli) error) error {
	if settings.Empty() {
		return do(c)
	}
	h, err := open(ctx, below(dir, settings), log)
	if err != nil {
		return fmt.Errorf("plugins: %w", err)
	}
	with, err := c.with(h)
	if err == nil {
		err = do(with)
	}
	return errors.Join(with.blamePlugins(err), failed(h.Close()))
}

// below makes relative paths of settings relative to the directory of their file.
func below(dir string, settings config.Plugins) config.Plugins {
	abs := func(path string) string {
		if path == "" || filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(dir, path)
	}
	settings.Directory, settings.RuntimeDirectory = abs(settings.Directory), abs(settings.RuntimeDirectory)
	list := make([]config.Plugin, len(settings.List))
	for i, p := range settings.List {
		p.Path = abs(p.Path)
		list[i] = p
	}
	settings.List = list
	return settings
}

// with returns the command line with the stages of plugins beside its own.
func (c *cli) with(h *host.Host) (*cli, error) {
	var all []feed.Factory
	for _, k := range kinds {
		all = append(all, c.registry.Factories(k)...)
	}
	for _, p := range h.Plugins() {
		for _, s := range p.Stages {
			if _, ours := c.registry.Lookup(s.Kind, s.Name); ours {
				return nil, fmt.Errorf("plugin %s has a %s %q, as feed itself has: it must have another name", p.Name, s.Kind, s.Name)
			}
		}
	}
	r, err := feed.NewRegistry(append(all, h.Factories()...)...)
	if err != nil {
		return nil, err
	}
	with := *c
	with.registry, with.plugins = r, h
	return &with, nil
}

// forgive gives each plugin its whole budget of restarts again.
func (c *cli) forgive() {
	if c.plugins != nil {
		c.plugins.Forgive()
	}
}

// leftOut says which plugins do not run, and why.
func (c *cli) leftOut() error {
	if c.plugins == nil {
		return nil
	}
	var errs []error
	for _, p := range c.plugins.Plugins() {
		if p.Error != "" {
			errs = append(errs, fmt.Errorf("plugin %s is left out: %s", p.Name, p.Error))
		}
	}
	return errors.Join(errs...)
}
