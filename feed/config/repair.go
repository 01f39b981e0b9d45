package config

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/feed/validate"
)

// Repair says where readings that a validation misses are looked for, and through
// what they are sent.
type Repair struct {
	Route string     `yaml:"route" doc:"Route of this file whose transforms and sink send what is missing."`
	Sink  Sinks      `yaml:"sink" stage:"sink" doc:"Sink in the place of the route's: for one that stores a stream exactly once, and takes nothing else."`
	From  EdgePlaces `yaml:"from" doc:"Places at the edge where it is looked for, in this order: quarantine is the file's, an observation such as postgres has readings, a source that reads a stream has messages as they came."`
}

// EdgePlaces are places where what is missing may be, in the order of the file.
type EdgePlaces []Stage

// PlaceQuarantine is the name of the place that is the quarantine of the file.
const PlaceQuarantine = "quarantine"

// Off reports whether nothing can be repaired.
func (r *Repair) Off() bool { return r.Route == "" && len(r.From) == 0 }

// RepairPlace is a place where what is missing may be, and the way to send it. The
// caller closes Side, and Source, and hands Route to who closes it.
type RepairPlace struct {
	Name string
	// Side and Source say what the place is: a side, a stream, or the quarantine of
	// the file when both are nil.
	Side   validate.Side
	Source feed.OffsetSubscriber
	// Route is without a source. When the place has readings, the transforms that
	// unpack messages to readings, and those before them, are left out.
	Route feed.Route
}

// RepairFrom makes the i-th place of a file that has them. Constructors do no network
// I/O. Stages of a dry run leave alone what outlives the process.
func (c *Config) RepairFrom(i int, dryRun bool, logger *slog.Logger) (RepairPlace, error) {
	b := &builder{config: c, logger: logger, trial: dryRun}
	p, err := b.repairPlace(&c.Validate.Repair.From[i])
	if err != nil {
		return p, errors.Join(append([]error{err}, b.close()...)...)
	}
	return p, nil
}

func (b *builder) repairPlace(s *Stage) (p RepairPlace, err error) {
	r := *b.config.repairRoute()
	p.Name = s.Name
	env := feed.StageEnv{Feed: b.config.Name, Route: r.Name, Logger: b.logger.With("stage", s.Name)}
	switch s.factory.Kind { // the quarantine has none
	case feed.KindObservation:
		if p.Side, err = validate.NewObservation(s.factory, s.Config, env); err != nil {
			return p, b.failed(*s, err)
		}
		b.made = append(b.made, p.Side)
		r.Transforms = r.Transforms[r.unpacks():]
	case feed.KindSource:
		source, err := s.factory.Source(s.Config, env)
		if err != nil {
			return p, b.failed(*s, err)
		}
		b.made = append(b.made, source)
		var ok bool
		if p.Source, ok = source.(feed.OffsetSubscriber); !ok {
			return p, b.failed(*s, fmt.Errorf("%T reads no stream", source))
		}
	}
	if sinks := b.config.Validate.Repair.Sink; len(sinks) > 0 {
		r.Sink = sinks
	}
	p.Route, err = b.passage(&r)
	return p, err
}

// repairRoute returns the route that sends what is missing; nil when there is none.
func (c *Config) repairRoute() *Route {
	for _, r := range c.Routes {
		if r.Name == c.Validate.Repair.Route {
			return r
		}
	}
	return nil
}

// unpacks counts the transforms up to the last one that makes many messages of one.
func (r *Route) unpacks() int {
	for i := len(r.Transforms) - 1; i >= 0; i-- {
		if f, ok := r.Transforms[i].Config.(feed.FanOutConfig); ok && f.FanOut() {
			return i + 1
		}
	}
	return 0
}

// isQuarantine reports whether a place is the quarantine of the file.
func (s *Stage) isQuarantine() bool { return s.Config == nil && s.Name == PlaceQuarantine }

// edgePlaces decodes a mapping of places' names to their settings.
func (d *decoder) edgePlaces(e entry, out *EdgePlaces, key string, depth int) {
	if d.registry == nil || d.part == partTests || !d.affordable(resolve(e.value), key, depth) {
		return
	}
	es, ok := d.entries(resolve(e.value), key, "{"+PlaceQuarantine+": {}}")
	if ok && len(es) == 0 {
		d.problem(e.key, key, "names no place", "write "+PlaceQuarantine+": {}, an observation such as postgres, or a source that reads a stream")
	}
	for _, e := range es {
		if d.tooMuch {
			return
		}
		key := joinKey(key, e.name)
		if e.name == PlaceQuarantine {
			if n := resolve(e.value); !isNull(n) && (n.Kind != yaml.MappingNode || len(n.Content) > 0) {
				d.problem(e.value, key, "is the quarantine of this file, and has no settings here", "write "+PlaceQuarantine+": {}")
			}
			*out = append(*out, Stage{Name: e.name, path: key, key: e.key, node: resolve(e.value), ok: true})
			continue
		}
		kind := feed.KindObservation
		if _, found := d.registry.Lookup(kind, e.name); !found {
			kind = feed.KindSource
			if _, found := d.registry.Lookup(kind, e.name); !found {
				names := slices.Concat([]string{PlaceQuarantine}, d.names(feed.KindObservation), d.names(feed.KindSource))
				d.problem(e.key, key, "there is no place of this name", DidYouMean(e.name, names))
				continue
			}
		}
		var s Stage
		d.settings(e, &s, kind, key, depth+1)
		if o, ok := s.Config.(feed.OffsetConfig); kind == feed.KindSource && s.ok && (!ok || !o.Offsets()) {
			d.problem(e.key, key, "reads no stream: what a repair takes from there would be gone", "read a stream (amqp with declare: {type: stream}), or name an observation")
			continue
		}
		*out = append(*out, s)
	}
}

// checkRepair checks the section against the rest of the file.
func (d *decoder) checkRepair(c *Config, root *yaml.Node, bad func(key, reason, remedy string)) {
	if _, said := locate(root, "validate.repair"); !said || d.part != partAll {
		return
	}
	r := &c.Validate.Repair
	if len(r.From) == 0 {
		if _, said := locate(root, "validate.repair.from"); !said {
			bad("validate.repair.from", "missing", "write from: {"+PlaceQuarantine+": {}}, or other places where what is missing may be")
		}
	}
	if slices.ContainsFunc(r.From, func(s Stage) bool { return s.isQuarantine() }) && c.Quarantine.Off() {
		bad("validate.repair.from."+PlaceQuarantine, "there is none in this file", "write quarantine: {path: …}")
	}
	names := make([]string, len(c.Routes))
	for i, route := range c.Routes {
		names[i] = route.Name
	}
	route := c.repairRoute()
	switch {
	case r.Route == "":
		bad("validate.repair.route", "missing", "name the route that is to send what is missing")
		return
	case route == nil:
		bad("validate.repair.route", "this file has no route "+quote(r.Route), DidYouMean(r.Route, names))
		return
	}
	key, sinks := "validate.repair.sink", r.Sink
	if len(sinks) == 0 {
		key, sinks = "validate.repair.route", route.Sink
	}
	for i := range sinks {
		s := &sinks[i]
		if cc, ok := s.Config.(feed.CheckpointConfig); s.ok && ok && cc.Checkpoints() {
			bad(key, strings.TrimPrefix(s.path, "routes.")+" stores a stream exactly once, and takes nothing else", "write repair.sink: a sink without exactlyOnce and with a path of its own, which the observation reads, too")
		}
	}
}
