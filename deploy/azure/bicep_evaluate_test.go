package azure_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// deployment is what a Bicep file and its parameters say.
type deployment struct {
	resources []resource
	outputs   map[string]any
}

type resource struct {
	symbol   string
	kind     string // Microsoft.X/y
	version  string
	name     string
	parent   string // symbol of the parent
	existing bool
	left     bool // left out: its condition is false
	body     map[string]any
}

func (d deployment) resource(symbol string) resource {
	for _, r := range d.resources {
		if r.symbol == symbol {
			return r
		}
	}
	return resource{}
}

type evaluator struct {
	directory    string
	declarations map[string]*declaration
	parameters   map[string]any
	variables    map[string]any // of loops
	used         map[string]bool
}

type evaluationError struct{ error }

// load reads NAME.bicep with the parameters of NAME.bicepparam, those of changed in their place.
func load(directory, name string, changed map[string]any) (deployment, error) {
	source, err := os.ReadFile(filepath.Join(directory, name+".bicep"))
	if err != nil {
		return deployment{}, err
	}
	parameters, err := os.ReadFile(filepath.Join(directory, name+".bicepparam"))
	if err != nil {
		return deployment{}, err
	}
	d, err := evaluate(directory, name, string(source), string(parameters), changed)
	if err != nil {
		return deployment{}, fmt.Errorf("%s.bicep: %w", name, err)
	}
	return d, nil
}

func evaluate(directory, name, source, parameters string, changed map[string]any) (d deployment, err error) {
	defer func() {
		if failure, ok := recover().(evaluationError); ok {
			d, err = deployment{}, failure.error
		}
	}()
	parsed, err := parse(source)
	if err != nil {
		return deployment{}, err
	}
	given, err := parse(parameters)
	if err != nil {
		return deployment{}, fmt.Errorf("its parameters: %w", err)
	}
	if given.using != name+".bicep" {
		return deployment{}, fmt.Errorf("the parameters are those of %q", given.using)
	}
	e := &evaluator{
		directory:    directory,
		declarations: map[string]*declaration{},
		parameters:   map[string]any{},
		variables:    map[string]any{},
		used:         map[string]bool{},
	}
	for _, p := range given.declarations {
		e.parameters[p.name] = e.value(p.value)
	}
	for name, value := range changed {
		e.parameters[name] = value
	}
	for _, one := range parsed.declarations {
		if e.declarations[one.name] != nil {
			return deployment{}, fmt.Errorf("line %d: %s is declared twice", one.line, one.name)
		}
		e.declarations[one.name] = one
	}
	e.checkParameters(parsed)
	d.outputs = map[string]any{}
	for _, one := range parsed.declarations {
		switch one.kind {
		case "resource":
			d.resources = append(d.resources, e.resource(one))
		case "output":
			d.outputs[one.name] = e.value(one.value)
		}
	}
	for _, one := range parsed.declarations {
		if (one.kind == "param" || one.kind == "var" || one.existing) && !e.used[one.name] {
			return deployment{}, fmt.Errorf("line %d: nothing uses %s", one.line, one.name)
		}
	}
	return d, nil
}

func (e *evaluator) fail(line int, format string, arguments ...any) {
	panic(evaluationError{fmt.Errorf("line %d: "+format, append([]any{line}, arguments...)...)})
}

func (e *evaluator) checkParameters(parsed *file) {
	for name := range e.parameters {
		if d := e.declarations[name]; d == nil || d.kind != "param" {
			e.fail(0, "the file has no parameter %s", name)
		}
	}
	for _, d := range parsed.declarations {
		if d.kind != "param" {
			continue
		}
		value, given := e.parameters[d.name]
		if !given && d.value == nil {
			e.fail(d.line, "the parameter %s has no value", d.name)
		}
		if given && !isOf(d.typeName, value) {
			e.fail(d.line, "the parameter %s is a %s, not %v", d.name, d.typeName, value)
		}
		if given && d.allowed != nil && !slices.ContainsFunc(d.allowed, func(a expression) bool { return e.value(a) == value }) {
			e.fail(d.line, "the parameter %s must not be %v", d.name, value)
		}
	}
}

func isOf(typeName string, value any) bool {
	switch typeName {
	case "string":
		_, ok := value.(string)
		return ok
	case "string[]":
		items, ok := value.([]any)
		return ok && !slices.ContainsFunc(items, func(item any) bool { return !isOf("string", item) })
	}
	return false
}

func (e *evaluator) resource(d *declaration) resource {
	kind, version, ok := strings.Cut(d.resource, "@")
	if !ok {
		e.fail(d.line, "%s has no version", d.resource)
	}
	r := resource{symbol: d.name, kind: kind, version: version, existing: d.existing, body: map[string]any{}}
	if d.condition != nil {
		condition, ok := e.value(d.condition).(bool)
		if !ok {
			e.fail(d.line, "the condition of %s is neither true nor false", d.name)
		}
		r.left = !condition
	}
	o := d.value.(object)
	for i, key := range o.keys {
		switch key {
		case "parent", "scope":
			to, ok := o.values[i].(reference)
			if !ok || e.declarations[to.name] == nil || e.declarations[to.name].kind != "resource" {
				e.fail(d.line, "the %s of %s is no resource", key, d.name)
			}
			e.used[to.name] = true
			if key == "parent" {
				r.parent = to.name
			}
			r.body[key] = to.name
		case "dependsOn":
			for _, item := range o.values[i].(array).items {
				e.value(member{item, "id", d.line})
			}
		case "name", "location", "properties", "extendedLocation":
			r.body[key] = e.value(o.values[i])
		default:
			e.fail(d.line, "%s has a key %s at the top", d.name, key)
		}
	}
	r.name, ok = r.body["name"].(string)
	if !ok || r.name == "" {
		e.fail(d.line, "%s has no name", d.name)
	}
	e.checkParent(d, r)
	return r
}

// checkParent sees that a resource is of the type that its parent's children have.
func (e *evaluator) checkParent(d *declaration, r resource) {
	levels := strings.Count(r.kind, "/")
	if r.parent == "" {
		if levels > 1 {
			e.fail(d.line, "%s is a %s and has no parent", d.name, r.kind)
		}
		return
	}
	parent, _, _ := strings.Cut(e.declarations[r.parent].resource, "@")
	if parent != r.kind[:strings.LastIndex(r.kind, "/")] {
		e.fail(d.line, "%s is a %s and its parent a %s", d.name, r.kind, parent)
	}
}

func (e *evaluator) value(of expression) any {
	switch x := of.(type) {
	case literal:
		return x.value
	case template:
		var b strings.Builder
		for _, part := range x.parts {
			fmt.Fprint(&b, e.value(part))
		}
		return b.String()
	case object:
		m := map[string]any{}
		for i, key := range x.keys {
			m[key] = e.value(x.values[i])
		}
		return m
	case array:
		items := []any{}
		for _, item := range x.items {
			items = append(items, e.value(item))
		}
		return items
	case loop:
		return e.loop(x)
	case equal:
		return e.value(x.left) == e.value(x.right)
	case reference:
		return e.reference(x)
	case member:
		return e.member(x)
	case call:
		return e.call(x)
	default:
		panic(fmt.Sprintf("no value for a %T", of))
	}
}

func (e *evaluator) loop(x loop) any {
	items := []any{}
	for _, item := range e.value(x.over).([]any) {
		e.variables[x.variable] = item
		items = append(items, e.value(x.body))
	}
	delete(e.variables, x.variable)
	return items
}

func (e *evaluator) reference(x reference) any {
	if value, ok := e.variables[x.name]; ok {
		return value
	}
	d := e.declarations[x.name]
	if d == nil {
		e.fail(x.line, "nothing is called %s", x.name)
	}
	e.used[x.name] = true
	switch d.kind {
	case "param":
		if value, ok := e.parameters[x.name]; ok {
			return value
		}
		return e.value(d.value)
	case "var":
		return e.value(d.value)
	}
	e.fail(x.line, "%s is a %s and no value", x.name, d.kind)
	return nil
}

// member knows of a resource its name, and stands in for what only Azure knows.
func (e *evaluator) member(x member) any {
	if of, ok := x.of.(reference); ok {
		if d := e.declarations[of.name]; d != nil && d.kind == "resource" {
			e.used[of.name] = true
			switch x.name {
			case "name":
				o := d.value.(object)
				return e.value(o.values[slices.Index(o.keys, "name")])
			case "id", "properties":
				return of.name + "." + x.name
			}
			e.fail(x.line, "%s.%s is not known before the deployment", of.name, x.name)
		}
	}
	switch of := e.value(x.of).(type) {
	case map[string]any:
		value, ok := of[x.name]
		if !ok {
			e.fail(x.line, "it has no %s", x.name)
		}
		return value
	case string:
		if strings.HasSuffix(of, ".properties") && (x.name == "principalId" || x.name == "clientId") {
			return of + "." + x.name
		}
	}
	e.fail(x.line, "%s is of nothing", x.name)
	return nil
}

func (e *evaluator) call(x call) any {
	var arguments []any
	for _, a := range x.arguments {
		arguments = append(arguments, e.value(a))
	}
	switch x.name {
	case "environment":
		return map[string]any{"suffixes": map[string]any{"storage": "core.windows.net"}}
	case "resourceGroup":
		return map[string]any{"location": "westeurope"}
	case "flatten":
		flat := []any{}
		for _, inner := range arguments[0].([]any) {
			flat = append(flat, inner.([]any)...)
		}
		return flat
	case "guid", "subscriptionResourceId":
		return fmt.Sprintf("%s%q", x.name, arguments)
	case "loadTextContent":
		content, err := os.ReadFile(filepath.Join(e.directory, arguments[0].(string)))
		if err != nil {
			e.fail(x.line, "%v", err)
		}
		return string(content)
	}
	e.fail(x.line, "the function %s is not known here", x.name)
	return nil
}
