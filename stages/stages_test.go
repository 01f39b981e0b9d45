package stages_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/kraft-edge/datafeed/feed"
	"github.com/kraft-edge/datafeed/stages"
)

func ExampleAll() {
	registry, err := feed.NewRegistry(stages.All()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	f, found := registry.Lookup(feed.KindSink, "mqtt")
	fmt.Println(f.Kind, f.Name, found)
	// Output:
	// sink mqtt true
}

// TestConfigsAreDocumented checks that every key of every stage has a camelCase
// name and a sentence.
func TestConfigsAreDocumented(t *testing.T) {
	for _, f := range stages.All() {
		if f.Summary == "" {
			t.Errorf("%s %s has no summary", f.Kind, f.Name)
		}
		checkFields(t, f.Name, reflect.TypeOf(f.NewConfig()))
	}
}

func checkFields(t *testing.T, path string, typ reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		checkFields(t, path, typ.Elem())
		return
	case reflect.Struct:
		if typ == reflect.TypeFor[feed.Nested]() {
			return // a stage that is checked by itself
		}
	default:
		return
	}
	for i := range typ.NumField() {
		field := typ.Field(i)
		if !field.IsExported() {
			continue
		}
		key, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		doc := field.Tag.Get("doc")
		switch {
		case key == "-":
			continue
		case options == "inline":
		case key == "" || strings.ToLower(key[:1]) != key[:1] || strings.ContainsAny(key, "-_"):
			t.Errorf("%s.%s: key %q is not camelCase", path, field.Name, key)
		case doc == "" || !strings.HasSuffix(doc, "."):
			t.Errorf("%s.%s: %q is no sentence", path, key, doc)
		}
		checkFields(t, path+"."+key, field.Type)
	}
}
