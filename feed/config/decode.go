package config

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kraft-edge/datafeed/feed"
)

// The bounds of what a file may expand to.
const (
	maxDepth = 64     // of nesting, aliases included
	maxNodes = 50_000 // values, each alias counted as what it stands for
	maxFound = 1_000  // problems that are told apart; those beyond are not looked for
)

// decoder fills structs from YAML nodes and collects all that is wrong.
type decoder struct {
	file      string
	lines     []string // of the file
	registry  *feed.Registry
	lookupEnv func(string) (string, bool)
	part      part
	expanded  bool // references were expanded before: $ is no sign

	problems []Problem
	warnings []Problem
	meant    []string // keys of the stage at hand that unknown ones were meant to be
	secrets  []string // never to be shown, whoever writes the text
	nodes    int
	tooMuch  bool // a bound was passed: what follows is not looked at
}

var (
	durationType = reflect.TypeFor[time.Duration]()
	sizeType     = reflect.TypeFor[feed.Size]()
	secretType   = reflect.TypeFor[feed.Secret]()
	urlType      = reflect.TypeFor[feed.URL]()
	stageType    = reflect.TypeFor[Stage]()
	sinksType    = reflect.TypeFor[Sinks]()
	routesType   = reflect.TypeFor[Routes]()
	nestedType   = reflect.TypeFor[feed.Nested]()
	nestedsType  = reflect.TypeFor[[]feed.Nested]()
	sidesType    = reflect.TypeFor[Observations]()
	placesType   = reflect.TypeFor[EdgePlaces]()

	repairType     = reflect.TypeFor[Repair]()
	validationType = reflect.TypeFor[Validation]()
	jsonType       = reflect.TypeFor[JSON]()
	positionType   = reflect.TypeFor[Position]()
)

// problem records what is wrong at n.
func (d *decoder) problem(n *yaml.Node, key, reason, remedy string) {
	d.add(Problem{File: d.file, Line: n.Line, Column: n.Column, Key: key, Reason: reason, Remedy: remedy})
}

func (d *decoder) add(p Problem) {
	if len(d.problems) >= maxFound {
		d.tooMuch = true
		return
	}
	d.problems = append(d.problems, p)
}

// warn records what is doubtful at n.
func (d *decoder) warn(n *yaml.Node, key, reason, remedy string) {
	d.warnings = append(d.warnings, Problem{File: d.file, Line: n.Line, Column: n.Column, Key: key, Reason: reason, Remedy: remedy})
}

// hide keeps a secret out of all texts, also out of those that stages write.
func (d *decoder) hide(secret string) {
	if len(secret) >= 4 { // a shorter one would take common words apart
		d.secrets = append(d.secrets, secret)
	}
}

// redact takes the secrets out of the texts of problems.
func (d *decoder) redact(ps []Problem) {
	for _, secret := range d.secrets {
		for i := range ps {
			ps[i].Key = strings.ReplaceAll(ps[i].Key, secret, "[redacted]")
			ps[i].Reason = strings.ReplaceAll(ps[i].Reason, secret, "[redacted]")
			ps[i].Remedy = strings.ReplaceAll(ps[i].Remedy, secret, "[redacted]")
		}
	}
}

// affordable counts n and reports whether the bounds hold.
func (d *decoder) affordable(n *yaml.Node, key string, depth int) bool {
	d.nodes++
	switch {
	case d.tooMuch:
		return false
	case d.nodes > maxNodes:
		d.tooMuch = true
		d.problem(n, key, fmt.Sprintf("the file expands to more than %d values", maxNodes), "use fewer aliases")
		return false
	case depth > maxDepth:
		d.problem(n, key, fmt.Sprintf("nested more than %d levels deep", maxDepth), "an alias must not contain itself")
		return false
	}
	return true
}

// value decodes n into v, which holds the default and keeps it when n is
// wrong.
func (d *decoder) value(n *yaml.Node, v reflect.Value, key string, depth int) {
	n = resolve(n)
	if !d.affordable(n, key, depth) {
		return
	}
	switch v.Type() {
	case secretType, urlType:
		d.secret(n, v, key)
		return
	case routesType:
		d.routes(n, v.Addr().Interface().(*Routes), key, depth)
		return
	case jsonType:
		v.SetBytes(d.json(n, key, depth, false))
		return
	}
	if scalar(v.Type()) {
		if text, shown, ok := d.text(n, v.Type(), key); ok {
			d.scalar(n, v, key, text, shown)
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		if !v.IsNil() {
			p.Elem().Set(v.Elem())
		}
		d.value(n, p.Elem(), key, depth+1)
		v.Set(p)
	case reflect.Struct:
		d.structure(n, v, key, depth)
	case reflect.Slice:
		d.list(n, v, key, depth)
	case reflect.Map:
		d.table(n, v, key, depth)
	default:
		d.problem(n, key, fmt.Sprintf("the stage has a configuration field of type %s, which no file can set", v.Type()), "report it to the author of the stage")
	}
}

// entries lists the keys of the mapping n, and reports what is wrong with it.
func (d *decoder) entries(n *yaml.Node, key, example string) ([]entry, bool) {
	if isNull(n) {
		return nil, true
	}
	if n.Kind != yaml.MappingNode {
		d.problem(n, key, "expected a mapping such as "+example+", got "+kindOf(n), "")
		return nil, false
	}
	return entries(n, func(at *yaml.Node, name, reason, remedy string) {
		if name != "" {
			name = joinKey(key, name)
		} else {
			name = key
		}
		d.problem(at, name, reason, remedy)
	}), true
}

func (d *decoder) structure(n *yaml.Node, v reflect.Value, key string, depth int) {
	fields := fieldsOf(v.Type())
	example := "{}"
	if len(fields) > 0 {
		example = "{" + fields[0].name + ": …}"
	}
	es, ok := d.entries(n, key, example)
	if at := v.FieldByName("At"); ok && at.IsValid() && at.Type() == positionType {
		at.Set(reflect.ValueOf(Position{n.Line, n.Column}))
	}
	for _, e := range es {
		i := slices.IndexFunc(fields, func(f field) bool { return f.name == e.name })
		if i < 0 {
			d.unknown(e, key, fields, es)
			continue
		}
		d.member(e, v.FieldByIndex(fields[i].index), feed.Kind(fields[i].tag.Get("stage")), joinKey(key, e.name), depth+1)
	}
}

// member decodes what a field of a struct is set to; kind is that of the stages
// that it holds, when it holds any.
func (d *decoder) member(e entry, v reflect.Value, kind feed.Kind, key string, depth int) {
	switch target := v.Addr().Interface().(type) {
	case *Stage:
		d.stage(e, target, kind, key, depth)
	case *[]Stage:
		d.stages(e.value, target, kind, key, depth)
	case *Sinks:
		d.sinks(e, target, key, depth)
	case *EdgePlaces:
		d.edgePlaces(e, target, key, depth)
	case *Repair:
		if d.part != partValidation { // who only compares needs no place at the edge
			d.value(e.value, v, key, depth)
		}
	case *Observations:
		d.observations(e, target, key, depth)
	case *feed.Nested:
		d.nested(e, target, kind, key, depth)
	case *[]feed.Nested:
		var stages []Stage
		before := len(d.problems)
		d.stages(e.value, &stages, kind, key, depth)
		for _, s := range stages {
			*target = append(*target, d.asNested(s, before))
		}
	default:
		d.value(e.value, v, key, depth)
	}
}

// unknown reports a key that no field has; beside are all keys that stand
// there.
func (d *decoder) unknown(e entry, key string, fields []field, beside []entry) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	if near := nearest(e.name, names); near != "" && !slices.ContainsFunc(beside, func(b entry) bool { return b.name == near }) {
		d.meant = append(d.meant, joinKey(key, near))
	}
	d.problem(e.key, joinKey(key, e.name), "unknown key", DidYouMean(e.name, names))
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, key string, depth int) {
	if isNull(n) {
		v.SetZero()
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.problem(n, key, "expected a list such as ["+example(v.Type().Elem())+"], got "+kindOf(n), "")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		if d.tooMuch {
			return
		}
		d.value(c, out.Index(i), key+"["+strconv.Itoa(i)+"]", depth+1)
	}
	v.Set(out)
}

func (d *decoder) table(n *yaml.Node, v reflect.Value, key string, depth int) {
	if v.Type().Key().Kind() != reflect.String {
		d.problem(n, key, fmt.Sprintf("the stage has a configuration field of type %s, which no file can set", v.Type()), "report it to the author of the stage")
		return
	}
	es, ok := d.entries(n, key, "{name: "+example(v.Type().Elem())+"}")
	if !ok {
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(es))
	for _, e := range es {
		if d.tooMuch {
			return
		}
		element := reflect.New(v.Type().Elem()).Elem()
		d.value(e.value, element, joinKey(key, e.name), depth+1)
		out.SetMapIndex(reflect.ValueOf(e.name).Convert(v.Type().Key()), element)
	}
	v.Set(out)
}

// kindOf names what stands in the file in place of what was expected.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch tag := n.ShortTag(); tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!str", "!!timestamp":
		return "text"
	default:
		return "a value with the tag " + shorten(strings.TrimPrefix(tag, "!!"))
	}
}
