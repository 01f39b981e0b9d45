package apitest

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/kraft-edge/datafeed/internal/kube"
)

// fields are those of an object, as encoding/json decodes them, and with the data of a Secret in the one line in which the
// API server has it.
func fields(t *testing.T, o kube.Object) map[string]any {
	t.Helper()
	var object map[string]any
	if err := yaml.Unmarshal(o.YAML, &object); err != nil {
		t.Fatalf("%s: %v", o.ID(), err)
	}
	if o.Kind == "Secret" {
		data, _ := object["data"].(map[string]any)
		for name, value := range data {
			data[name] = strings.Join(strings.Fields(value.(string)), "")
		}
	}
	return object
}

// missing says which of the fields that were sent the API server does not have, or has otherwise. Those that it has beside
// them are its defaults.
func missing(sent, got any, where string) []string {
	switch sent := sent.(type) {
	case map[string]any:
		got, _ := got.(map[string]any)
		var all []string
		for _, name := range slices.Sorted(maps.Keys(sent)) {
			value := sent[name]
			all = append(all, missing(value, got[name], where+"."+name)...)
		}
		return all
	case []any:
		got, _ := got.([]any)
		if len(sent) != len(got) {
			return []string{fmt.Sprintf("%s has %d elements, and %d were sent", where, len(got), len(sent))}
		}
		var all []string
		for i := range sent {
			all = append(all, missing(sent[i], got[i], fmt.Sprintf("%s[%d]", where, i))...)
		}
		return all
	}
	if !reflect.DeepEqual(sent, got) {
		return []string{fmt.Sprintf("%s is %.100v, and %.100v was sent", where, got, sent)}
	}
	return nil
}

// at is the value of a field of a field, or nil.
func at(object any, names ...string) any {
	for _, name := range names {
		inside, _ := object.(map[string]any)
		object = inside[name]
	}
	return object
}

func list(value any) []any {
	all, _ := value.([]any)
	return all
}

func decode(t *testing.T, from, into any) {
	t.Helper()
	text, err := json.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// What the API server had dropped, changed or cut off would be seen.
func TestMissingFieldsAreSeen(t *testing.T) {
	sent := map[string]any{"a": "x", "b": []any{map[string]any{"c": 1.0}}}
	for _, c := range []struct {
		got  any
		want []string
	}{
		{map[string]any{"a": "x", "b": []any{map[string]any{"c": 1.0, "default": true}}, "default": "y"}, nil},
		{map[string]any{"a": "x", "b": []any{map[string]any{}}}, []string{".b[0].c is <nil>, and 1 was sent"}},
		{map[string]any{"a": "y", "b": []any{map[string]any{"c": 1.0}}}, []string{".a is y, and x was sent"}},
		{map[string]any{"a": "x", "b": []any{}}, []string{".b has 0 elements, and 1 were sent"}},
		{nil, []string{".a is <nil>, and x was sent", ".b has 0 elements, and 1 were sent"}},
	} {
		if got := missing(sent, c.got, ""); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.got, got, c.want)
		}
	}
}
