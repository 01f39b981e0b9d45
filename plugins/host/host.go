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
	"time"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/config"
	"github.com/kraft-edge/datafeed/plugins/internal/wire"
	"github.com/kraft-edge/datafeed/plugins/pluginpb"
)

// Host runs plugins and has their stages.
type Host struct {
	dir      *privateDir
	plugins  []*plugin
	patience time.Duration // how long a plugin is waited for; 0: until it has failed for the last time
	close    func() error

	stop   context.CancelFunc
	starts sync.WaitGroup
}

// startPatience is how long the start of a feed waits for an answer of a plugin.
const startPatience = 5 * time.Second

// Open starts the plugins that the settings name and asks them for their stages,
// all at once. It blocks until each has answered, or has failed for the last time.
//
// A plugin that is refused, or does not come up, is logged, and left out: the
// others are not to suffer for it. [Host.Plugins] says which, and why. An error
// means that the settings cannot be followed at all: a directory that cannot be
// read, or two stages of one kind and name.
//
// The caller closes the host, after all that was made of its factories.
func Open(ctx context.Context, settings config.Plugins, log *slog.Logger) (*Host, error) {
	return start(ctx, settings, 0, log)
}

// Start is Open for a feed that runs and that no plugin is to hold up: it waits some
// seconds at most. Stages of a plugin that has not answered by then, or does not
// answer when it is asked about their settings, are made late: what is asked of them
// fails with a transient error until the plugin answers, and then goes through.
// [Host.Otherwise] has those that nobody is known to have.
func Start(ctx context.Context, settings config.Plugins, log *slog.Logger) (*Host, error) {
	return start(ctx, settings, startPatience, log)
}

func start(ctx context.Context, settings config.Plugins, patience time.Duration, log *slog.Logger) (_ *Host, err error) {
	all, err := named(settings, log)
	if err != nil {
		return nil, err
	}
	dir, err := newPrivateDir(cmp.Or(settings.RuntimeDirectory, os.TempDir()))
	if err != nil {
		return nil, err
	}
	h := &Host{dir: dir, plugins: all, patience: patience}
	h.close = sync.OnceValue(h.end)
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	for i, p := range h.plugins {
		h.starts.Go(func() {
			p.start(asking, filepath.Join(dir.path, fmt.Sprint(i)), dir.path, log)
		})
	}
	if err := h.wait(ctx); err != nil {
		return nil, fmt.Errorf("start the plugins: %w", err)
	}
	for _, p := range h.plugins {
		if err := p.tell(); err != nil {
			log.Error("a plugin is left out", "plugin", p.name, "error", err)
		}
	}
	return h, h.twice()
}

// wait waits for the plugins, for as long as the host's patience lasts.
func (h *Host) wait(ctx context.Context) error {
	var late <-chan time.Time
	if h.patience > 0 {
		t := time.NewTimer(h.patience)
		defer t.Stop()
		late = t.C
	}
	for _, p := range h.plugins {
		select {
		case <-p.asked:
		case <-late:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// named lists the plugins that the settings name.
func named(settings config.Plugins, log *slog.Logger) ([]*plugin, error) {
	var all []*plugin
	if settings.Directory != "" {
		listed, wrong, others, err := readDirectory(settings.Directory)
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			log.Warn("a file is no plugin: it is not listed", "file", filepath.Join(settings.Directory, other), "list", filepath.Join(settings.Directory, sumsFile))
		}
		for _, line := range wrong {
			all = append(all, &plugin{name: line.at, pinned: pinned{path: settings.Directory}, refused: line.err, asked: make(chan struct{})})
		}
		for _, p := range listed {
			all = append(all, &plugin{name: filepath.Base(p.path), pinned: p, language: languageGo, limits: limitsOf(settings.Limits), asked: make(chan struct{})})
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
			limits: limitsOf(one.Limits.Or(settings.Limits)), asked: make(chan struct{}),
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

// twice returns an error when two plugins have a stage of one kind and name.
func (h *Host) twice() error {
	has := map[Stage]*plugin{}
	for _, p := range h.plugins {
		for _, s := range p.stages() {
			id := Stage{Kind: s.Kind, Name: s.Name}
			if other := has[id]; other != nil {
				return fmt.Errorf("plugins %s and %s both have a %s %q: leave one of them out", other.name, p.name, s.Kind, s.Name)
			}
			has[id] = p
		}
	}
	return nil
}

// Factories returns factories of the stages of all plugins that have answered. A
// stage that is made of one lives in the plugin, and survives its restarts.
func (h *Host) Factories() []feed.Factory {
	var all []feed.Factory
	for _, p := range h.plugins {
		for _, s := range p.stages() {
			all = append(all, h.factory(s.Kind, s.Name, s))
		}
	}
	return all
}

// Otherwise is for [feed.Registry.Otherwise] of a feed that runs: it returns a factory
// of a stage that nobody is known to have as long as a plugin is left out, which may
// have it. The stage takes any settings, and is made late, see [Start].
func (h *Host) Otherwise(k feed.Kind, name string) (feed.Factory, bool) {
	_, err := h.find(k, name)
	if wire.ToKind(k) == pluginpb.Kind_KIND_UNSPECIFIED || err != nil && h.leftOut() == nil {
		return feed.Factory{}, false
	}
	return h.factory(k, name, nil), true
}

// find returns the stage of the plugin that has it.
func (h *Host) find(k feed.Kind, name string) (*served, error) {
	if err := h.twice(); err != nil {
		return nil, err
	}
	for _, p := range h.plugins {
		for _, s := range p.stages() {
			if s.Kind == k && s.Name == name {
				return s, nil
			}
		}
	}
	return nil, fmt.Errorf("there is no %s %q: %w", k, name, cmp.Or(h.leftOut(), errors.New("no plugin has it")))
}

// leftOut says which plugins are left out, and why; nil when none is.
func (h *Host) leftOut() error {
	var errs []error
	for _, p := range h.plugins {
		if err := p.leftOut(); err != nil {
			errs = append(errs, fmt.Errorf("plugin %s is left out: %w", p.name, err))
		}
	}
	return errors.Join(errs...)
}

// Forgive forgets how often the plugins were started again: each has its whole budget
// again, and one that is left alone is started at once. It does not wait for that.
func (h *Host) Forgive() {
	for _, p := range h.plugins {
		p.mu.Lock()
		s := p.supervisor
		p.mu.Unlock()
		if s != nil {
			s.forgive()
		}
	}
}

// Close ends the plugins and removes what the host has written. It blocks for a few
// seconds at most. Calling it again does nothing.
func (h *Host) Close() error { return h.close() }

func (h *Host) end() error {
	h.stop()
	h.starts.Wait()
	var ends sync.WaitGroup
	for _, p := range h.plugins {
		if p.supervisor != nil {
			ends.Go(p.supervisor.close)
		}
	}
	ends.Wait()
	return h.dir.remove()
}
