package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// allSinks is the key that lists several sinks.
const allSinks = "all"

// maxSinks is how many sinks feed.All takes.
const maxSinks = 64

// routes decodes the mapping of routes.
func (d *decoder) routes(n *yaml.Node, rs *Routes, key string, depth int) {
	if d.registry == nil {
		return
	}
	es, ok := d.entries(n, key, "{line1: {source: {…}, sink: {…}}}")
	if !ok {
		return
	}
	for _, e := range es {
		if d.tooMuch {
			return
		}
		before := len(d.problems)
		at := joinKey(key, e.name)
		if !routeName(e.name) {
			d.problem(e.key, at, "not a name for a route", "use letters, digits, - and _, at most 64")
		}
		r := defaultRoute()
		r.Name, r.key, r.node = e.name, e.key, resolve(e.value)
		d.value(e.value, reflect.ValueOf(&r).Elem(), at, depth+1)
		r.ok = len(d.problems) == before
		*rs = append(*rs, &r)
	}
}

// routeName reports whether a name can stand in metrics, file names and URLs.
func routeName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

// stages decodes a list of stages.
func (d *decoder) stages(n *yaml.Node, out *[]Stage, kind feed.Kind, key string, depth int) {
	n = resolve(n)
	if isNull(n) || !d.affordable(n, key, depth) {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(n, key, "expected a list of stages, got "+kindOf(n), "write each on a line of its own after a dash")
		return
	}
	for i, c := range n.Content {
		if d.tooMuch {
			return
		}
		var s Stage
		d.stage(entry{key: c, value: c}, &s, kind, key+"["+strconv.Itoa(i)+"]", depth+1)
		*out = append(*out, s)
	}
}

// sinks decodes one sink, or all: with a list of them.
func (d *decoder) sinks(e entry, out *Sinks, key string, depth int) {
	if all, ok := find(e.value, allSinks); ok && len(resolve(e.value).Content) == 2 {
		key = joinKey(key, allSinks)
		d.stages(all.value, (*[]Stage)(out), feed.KindSink, key, depth+1)
		switch list := resolve(all.value); {
		case list.Kind == yaml.SequenceNode && len(list.Content) == 0, isNull(list):
			d.problem(all.key, key, "lists no sink", "write at least one")
		case len(list.Content) > maxSinks:
			d.problem(all.key, key, fmt.Sprintf("lists %d sinks, the most is %d", len(list.Content), maxSinks), "")
		}
		return
	}
	var s Stage
	d.stage(e, &s, feed.KindSink, key, depth)
	*out = Sinks{s}
}

// stage decodes a mapping of one key, the stage's name, to its settings.
func (d *decoder) stage(e entry, s *Stage, kind feed.Kind, key string, depth int) {
	es, ok := d.choices(e, kind, key, depth)
	switch {
	case !ok:
		return
	case len(es) > 1:
		remedy := "keep one"
		switch kind {
		case feed.KindSink:
			remedy = "keep one, or list them: all: [{" + shorten(es[0].name) + ": {…}}, {" + shorten(es[1].name) + ": {…}}]"
		case feed.KindTransform:
			remedy = "write each after a dash of its own"
		}
		d.problem(es[1].key, joinKey(key, es[1].name), "a second "+string(kind)+" beside "+shorten(es[0].name), remedy)
		return
	}
	d.settings(es[0], s, kind, joinKey(key, es[0].name), depth)
}

// choices lists the entries of a mapping of stages' names to their settings,
// at least one.
func (d *decoder) choices(e entry, kind feed.Kind, key string, depth int) ([]entry, bool) {
	if d.registry == nil || d.part == partTests && kind != feed.KindTransform {
		return nil, false
	}
	n := resolve(e.value)
	if !d.affordable(n, key, depth) {
		return nil, false
	}
	form := "{" + string(kind) + ": {…}}"
	if names := d.names(kind); len(names) > 0 {
		form = "{" + names[0] + ": {…}}"
	}
	es, ok := d.entries(n, key, form)
	if ok && len(es) == 0 {
		d.problem(e.key, key, "names no "+string(kind), "write one such as "+form+"; feed stages lists all")
		return nil, false
	}
	return es, ok
}

// names lists the stages of a kind.
func (d *decoder) names(kind feed.Kind) []string {
	factories := d.registry.Factories(kind)
	names := make([]string, len(factories))
	for i, f := range factories {
		names[i] = f.Name
	}
	return names
}

// settings decodes the settings of the stage that e names. key is the path of
// its name.
func (d *decoder) settings(e entry, s *Stage, kind feed.Kind, key string, depth int) {
	factory, found := d.registry.Lookup(kind, e.name)
	if !found {
		d.add(Problem{
			File: d.file, Line: e.key.Line, Column: e.key.Column, Key: key, Lacking: kind,
			Reason: "there is no " + string(kind) + " of this name", Remedy: DidYouMean(e.name, d.names(kind)),
		})
		return
	}
	before, around := len(d.problems), d.meant
	d.meant = nil
	*s = Stage{Name: e.name, Config: factory.NewConfig(), factory: factory, path: key, key: e.key, node: resolve(e.value)}
	if c, ok := s.Config.(DocumentConfig); ok {
		c.SetDocument(d.object(e.value, key, depth+1))
	} else {
		d.value(e.value, reflect.ValueOf(s.Config).Elem(), key, depth+1)
	}
	d.validateStage(s, d.problems[before:])
	s.ok = len(d.problems) == before
	d.meant = around
}

// nested decodes a stage within the settings of another one. What is wrong with
// it has been said when those are validated: to them it is there.
func (d *decoder) nested(e entry, out *feed.Nested, kind feed.Kind, key string, depth int) {
	before := len(d.problems)
	var s Stage
	d.stage(e, &s, kind, key, depth)
	*out = d.asNested(s, before)
}

// asNested returns a stage as one within the settings of another; before is how
// many problems there were before it.
func (d *decoder) asNested(s Stage, before int) feed.Nested {
	out := feed.Nested{Name: s.Name, Config: s.Config, Factory: s.factory}
	if out.IsZero() && len(d.problems) > before {
		out.Name = "unknown"
	}
	return out
}

// validateStage asks the stage's own Validate and maps what it says to
// positions. What only follows from a key that could not be decoded is left out.
func (d *decoder) validateStage(s *Stage, decoding []Problem) {
	complaints := flatten(s.Config.Validate())
	expected := consequencesOf(s, decoding, d.meant)
	for _, err := range complaints {
		if d.tooMuch {
			return
		}
		var ce *feed.ConfigError
		if !errors.As(err, &ce) {
			d.problem(s.key, s.path, err.Error(), "")
			continue
		}
		key := stageKey(s.path, ce.Key)
		if expected.follows(key, err) {
			continue
		}
		d.problem(s.place(ce, d.lines), key, ce.Problem, ce.Remedy)
	}
}

// stageKey puts a key of a stage behind the path of the stage.
func stageKey(path, key string) string {
	if key == "" || key[0] == '[' {
		return path + key
	}
	return path + "." + key
}

// at returns the node of a key of the stage, or the nearest that is there.
func (s *Stage) at(key string) *yaml.Node {
	n, _ := locate(s.node, key)
	if n == s.node {
		return s.key
	}
	return n
}

// place returns where in the file the mistake is that ce reports: the character
// when the key's text stands there as it is, on one line, or else the key.
func (s *Stage) place(ce *feed.ConfigError, lines []string) *yaml.Node {
	text, exact := value(s.node, ce.Key)
	if !exact || ce.At == 0 || text.Kind != yaml.ScalarNode || text.Line > len(lines) || strings.Contains(text.Value, "${") {
		return s.at(ce.Key)
	}
	line, first := []rune(lines[text.Line-1]), text.Column-1
	if text.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		first++
	}
	if first > len(line) || !strings.HasPrefix(string(line[first:]), text.Value) {
		return s.at(ce.Key)
	}
	return &yaml.Node{Line: text.Line, Column: first + ce.At}
}

// flatten lists the errors that errors.Join has joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return []error{err}
}
