package config

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/kraft-edge/datafeed/feed"
)

// maxSchemaDepth bounds how deep a type that contains itself is described.
const maxSchemaDepth = 8

const schemaDraft = "https://json-schema.org/draft/2020-12/schema"

// aReference is the form of a text that holds ${…}.
const aReference = `\$\{`

// Schema returns a JSON Schema (draft 2020-12) of feed.yaml with the stages of
// the registry, for editors. It knows the keys, types, defaults and documents
// of the same structs that [Parse] decodes into; what only the whole file
// shows, Parse alone checks.
func Schema(registry *feed.Registry) ([]byte, error) {
	s := schemer{registry: registry, defs: map[string]any{}}
	c := DefaultConfig()
	root := s.object(reflect.ValueOf(c), 0)
	root["$schema"] = schemaDraft
	root["title"] = "feed.yaml"
	root["description"] = "A feed: routes that lead from a source through transforms to a sink, or a validation of what arrived."
	root["anyOf"] = []any{map[string]any{"required": []string{"routes"}}, map[string]any{"required": []string{"validate"}}}
	root["$defs"] = s.defs
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode schema: %w", err)
	}
	return append(out, '\n'), nil
}

// schemer describes types. Stages are definitions of their own.
type schemer struct {
	registry *feed.Registry
	defs     map[string]any
}

// object describes a struct; v holds its defaults.
func (s *schemer) object(v reflect.Value, depth int) map[string]any {
	properties := map[string]any{}
	for _, f := range fieldsOf(v.Type()) {
		p := s.value(v.FieldByIndex(f.index), f, depth+1)
		if f.doc != "" {
			p["description"] = f.doc
		}
		if d := defaultText(v.FieldByIndex(f.index)); d != "" && scalar(f.typ) {
			p["default"] = jsonDefault(v.FieldByIndex(f.index), d)
		}
		properties[f.name] = p
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}

// jsonDefault writes a default with the JSON type that the key takes.
func jsonDefault(v reflect.Value, text string) any {
	switch v.Kind() {
	case reflect.Bool, reflect.Float32, reflect.Float64:
		return v.Interface()
	}
	if v.CanInt() && v.Type() != durationType && v.Type() != sizeType {
		return v.Int()
	}
	if v.CanUint() {
		return v.Uint()
	}
	return text
}

// value describes what a key takes; v holds its default.
func (s *schemer) value(v reflect.Value, f field, depth int) map[string]any {
	t := v.Type()
	if depth > maxSchemaDepth {
		return map[string]any{}
	}
	switch t {
	case routesType:
		return map[string]any{
			"type": "object", "minProperties": 1, "additionalProperties": s.route(),
			"propertyNames": map[string]any{"pattern": "^[A-Za-z0-9_-]{1,64}$"},
		}
	case stageType, nestedType:
		return s.stage(feed.Kind(f.tag.Get("stage")))
	case sinksType:
		return s.sinks()
	case validationType:
		o := s.object(v, depth)
		o["required"] = []string{"expect", "observe"}
		return o
	case repairType:
		o := s.object(v, depth)
		o["required"] = []string{"route", "from"}
		return o
	case sidesType:
		return s.observations()
	case placesType:
		return s.edgePlaces()
	case reflect.TypeFor[[]Stage](), nestedsType:
		return map[string]any{"type": []string{"array", "null"}, "items": s.stage(feed.Kind(f.tag.Get("stage")))}
	case jsonType:
		return map[string]any{}
	case secretType:
		return map[string]any{"type": "string", "pattern": `^$|` + aReference}
	case urlType:
		return map[string]any{"type": "string"}
	case durationType:
		return map[string]any{"type": []string{"string", "integer"}, "pattern": `^-?([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$|^0$|` + aReference, "maximum": 0, "minimum": 0}
	case sizeType:
		return map[string]any{"type": []string{"string", "integer"}, "pattern": `^ *[0-9]+ *([KMGT]iB|[kMGT]?B)? *$|` + aReference, "minimum": 0}
	}
	if values := enumValues(t); values != nil {
		return map[string]any{"anyOf": []any{map[string]any{"enum": values}, map[string]any{"type": "string", "pattern": aReference}}}
	}
	if reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": []string{"string", "number", "boolean"}}
	case reflect.Bool:
		return map[string]any{"type": []string{"boolean", "string"}, "pattern": "^(true|false)$|" + aReference}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": []string{"number", "string"}, "pattern": `^-?[0-9.eE+-]+$|` + aReference}
	case reflect.Pointer:
		inner := v
		if v.IsNil() {
			inner = reflect.New(t)
			inner.Elem().Set(reflect.New(t.Elem()))
			inner = inner.Elem()
		}
		return s.value(inner.Elem(), f, depth)
	case reflect.Struct:
		o := s.object(v, depth)
		o["type"] = []string{"object", "null"}
		return o
	case reflect.Slice:
		return map[string]any{"type": []string{"array", "null"}, "items": s.value(reflect.New(t.Elem()).Elem(), field{}, depth+1)}
	case reflect.Map:
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": s.value(reflect.New(t.Elem()).Elem(), field{}, depth+1)}
	}
	whole := map[string]any{"type": []string{"integer", "string"}, "pattern": `^-?[0-9_]+$|` + aReference}
	if v.CanUint() {
		whole["minimum"] = 0
		whole["maximum"] = ^uint64(0) >> (64 - t.Bits())
		whole["pattern"] = `^[0-9_]+$|` + aReference
	}
	return whole
}

// observations describes the choice of one or more observations.
func (s *schemer) observations() map[string]any {
	properties := map[string]any{}
	for _, f := range s.registry.Factories(feed.KindObservation) {
		properties[f.Name] = s.settings(f)
	}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1}
}

// edgePlaces describes the choice of places where what is missing may be.
func (s *schemer) edgePlaces() map[string]any {
	properties := map[string]any{}
	for _, f := range slices.Concat(s.registry.Factories(feed.KindSource), s.registry.Factories(feed.KindObservation)) {
		properties[f.Name] = s.settings(f) // of a source and an observation of one name it is the latter
	}
	properties[PlaceQuarantine] = map[string]any{"type": []string{"object", "null"}, "maxProperties": 0, "description": "The quarantine of this file."}
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1}
}

// route describes a route.
func (s *schemer) route() map[string]any {
	o := s.object(reflect.ValueOf(defaultRoute()), 0)
	o["required"] = []string{"source", "sink"}
	return o
}

// stage describes the choice among the stages of a kind.
func (s *schemer) stage(kind feed.Kind) map[string]any {
	name := string(kind)
	if s.defs[name] == nil {
		properties := map[string]any{}
		s.defs[name] = oneOf(properties)
		for _, f := range s.registry.Factories(kind) {
			properties[f.Name] = s.settings(f)
		}
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// sinks describes the choice among the sinks, and all: with a list of them.
func (s *schemer) sinks() map[string]any {
	one := s.stage(feed.KindSink)
	if s.defs["sinks"] == nil {
		properties := map[string]any{allSinks: map[string]any{
			"type": "array", "minItems": 1, "maxItems": maxSinks, "items": one,
			"description": "Sinks that must each take every message.",
		}}
		s.defs["sinks"] = oneOf(properties)
		for _, f := range s.registry.Factories(feed.KindSink) {
			properties[f.Name] = s.settings(f)
		}
	}
	return map[string]any{"$ref": "#/$defs/sinks"}
}

// oneOf describes a mapping of exactly one of the given keys.
func oneOf(properties map[string]any) map[string]any {
	return map[string]any{
		"type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1,
	}
}

// settings describes what a stage takes.
func (s *schemer) settings(f feed.Factory) map[string]any {
	name := string(f.Kind) + "-" + f.Name
	if s.defs[name] == nil {
		c := f.NewConfig()
		if o, foreign := foreignSchema(f, c); foreign {
			o["description"] = f.Summary
			s.defs[name] = o
			return map[string]any{"$ref": "#/$defs/" + name}
		}
		o := s.object(reflect.ValueOf(c).Elem(), 0)
		o["description"] = f.Summary
		o["type"] = []string{"object", "null"}
		required := requiredKeys(f)
		for _, key := range slices.Sorted(maps.Keys(required)) {
			require(o, segments(key))
		}
		if o["required"] != nil {
			o["type"] = "object"
		}
		s.defs[name] = o
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// require demands a key, and the sections that lead to it; of a list, which may
// be empty, each element must have it.
func require(o map[string]any, path []string) {
	properties, ok := o["properties"].(map[string]any)
	if !ok || len(path) == 0 {
		return
	}
	if len(path) > 1 && path[1] == "" {
		if list, ok := properties[path[0]].(map[string]any); ok {
			if element, ok := list["items"].(map[string]any); ok {
				element["type"] = "object"
				require(element, path[2:])
			}
		}
		return
	}
	required, _ := o["required"].([]string)
	if !slices.Contains(required, path[0]) {
		o["required"] = append(required, path[0])
	}
	if inner, ok := properties[path[0]].(map[string]any); ok && len(path) > 1 {
		require(inner, path[1:])
	}
}
