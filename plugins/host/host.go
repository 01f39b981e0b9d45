package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
)

// Host runs plugins and has their stages.
type Host struct {
	dir     *privateDir
	plugins []*plugin
	close   func() error
}

// plugin is one of a host.
type plugin struct {
	name       string
	pinned     pinned
	env        []string
	language   language
	supervisor *supervisor // nil: it was refused before it was started
	described  description
	refused    error
}

// Open starts the plugins that the settings name and asks them for their stages,
// all at once. It blocks until each has answered, or has failed for the last time.
//
// A plugin that is refused, or does not come up, is logged, and left out: the
// others are not to suffer for it. [Host.Plugins] says which, and why. An error
// means that the settings cannot be followed at all: a directory that cannot be
// read, or two stages of one kind and name.
//
// The caller closes the host, after all that was made of its factories.
func Open(ctx context.Context, settings config.Plugins, log *slog.Logger) (_ *Host, err error) {
	all, err := named(settings, log)
	if err != nil {
		return nil, err
	}
	dir, err := newPrivateDir(cmp.Or(settings.RuntimeDirectory, os.TempDir()))
	if err != nil {
		return nil, err
	}
	h := &Host{dir: dir, plugins: all}
	h.close = sync.OnceValue(h.end)
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	var starts sync.WaitGroup
	for i, p := range h.plugins {
		starts.Go(func() {
			p.refused = p.start(ctx, filepath.Join(dir.path, fmt.Sprint(i)), dir.path, limitsOf(settings.Limits), log)
		})
	}
	starts.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("start the plugins: %w", context.Cause(ctx))
	}
	for _, p := range h.plugins {
		if p.refused != nil {
			log.Error("a plugin is left out", "plugin", p.name, "error", p.refused)
		}
	}
	return h, h.twice()
}

// named lists the plugins that the settings name.
func named(settings config.Plugins, log *slog.Logger) ([]*plugin, error) {
	var all []*plugin
	if settings.Directory != "" {
		listed, others, err := readDirectory(settings.Directory)
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			log.Warn("a file is no plugin: it is not listed", "file", filepath.Join(settings.Directory, other), "list", filepath.Join(settings.Directory, sumsFile))
		}
		for _, p := range listed {
			all = append(all, &plugin{name: filepath.Base(p.path), pinned: p, language: languageGo})
		}
	}
	for i, one := range settings.List {
		key := fmt.Sprintf("plugins.list[%d]", i)
		sum, err := parseSum(strings.ToLower(one.SHA256))
		if err != nil {
			return nil, fmt.Errorf("%s.sha256: %w", key, err)
		}
		all = append(all, &plugin{
			name: filepath.Base(one.Path), pinned: pinned{path: one.Path, sum: sum, by: key + ".sha256"},
			env: one.Env, language: language(cmp.Or(one.Language, config.PluginGo)),
		})
	}
	for i, p := range all {
		same := func(other *plugin) bool { return other.name == p.name }
		if j := slices.IndexFunc(all, same); j < i {
			return nil, fmt.Errorf("two plugins are named %s, %s and %s: rename a file", p.name, all[j].pinned.path, p.pinned.path)
		}
	}
	return all, nil
}

func limitsOf(l config.PluginLimits) limits {
	return limits{
		memory: int64(l.Memory), openFiles: uint64(l.OpenFiles), messageBytes: int(l.MessageBytes),
		timeout: l.Timeout, heartbeat: l.Heartbeat, restarts: l.Restarts, within: l.Within,
	}
}

// start copies, starts and asks a plugin.
func (p *plugin) start(ctx context.Context, executable, sockets string, l limits, log *slog.Logger) error {
	if err := p.pinned.copyTo(executable); err != nil {
		return err
	}
	p.supervisor = newSupervisor(ctx, program{
		name: p.name, executable: executable, env: p.env, language: p.language, limits: l, log: log.With("plugin", p.name),
	}, sockets)
	var err error
	p.described, err = p.supervisor.describe(ctx)
	if err != nil {
		p.supervisor.close()
	}
	return err
}

// twice returns an error when two plugins have a stage of one kind and name.
func (h *Host) twice() error {
	has := map[Stage]*plugin{}
	for _, p := range h.plugins {
		for _, s := range p.described.stages {
			id := Stage{Kind: s.Kind, Name: s.Name}
			if other := has[id]; other != nil {
				return fmt.Errorf("plugins %s and %s both have a %s %q: leave one of them out", other.name, p.name, s.Kind, s.Name)
			}
			has[id] = p
		}
	}
	return nil
}

// Factories returns factories of the stages of all plugins that run. A stage that
// is made of one lives in the plugin, and survives its restarts.
func (h *Host) Factories() []feed.Factory {
	var all []feed.Factory
	for _, p := range h.plugins {
		if p.refused == nil {
			all = append(all, p.factories()...)
		}
	}
	return all
}

// Close ends the plugins and removes what the host has written. It blocks for a few
// seconds at most. Calling it again does nothing.
func (h *Host) Close() error { return h.close() }

func (h *Host) end() error {
	var ends sync.WaitGroup
	for _, p := range h.plugins {
		if p.supervisor != nil {
			ends.Go(p.supervisor.close)
		}
	}
	ends.Wait()
	return h.dir.remove()
}
