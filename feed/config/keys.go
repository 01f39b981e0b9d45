package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/kraft-edge/datafeed/feed"
)

// Key documents a key of a stage's settings.
type Key struct {
	// Name is the path of the key; [] stands for each element of a list and *
	// for any name: "rules[].topic", "headers.*".
	Name string `json:"name"`
	// Type says what the key takes, such as "duration".
	Type string `json:"type"`
	// Default is the value when the key is absent, as it would be written;
	// empty when there is none.
	Default string `json:"default,omitempty"`
	// Values are all that the key takes, when they are few.
	Values []string `json:"values,omitempty"`
	// Required says that the stage does not work without the key.
	Required bool   `json:"required,omitempty"`
	Doc      string `json:"doc,omitempty"`
}

// Keys documents the settings of a stage, from its types.
func Keys(f feed.Factory) []Key {
	if own, ok := f.NewConfig().(interface{ Keys() []Key }); ok {
		return own.Keys()
	}
	required := requiredKeys(f)
	ks := keysOf(reflect.ValueOf(f.NewConfig()).Elem(), "", 0)
	for i := range ks {
		ks[i].Required = required[ks[i].Name]
	}
	return ks
}

// keysOf lists the keys of a struct, those of nested ones after their own.
func keysOf(v reflect.Value, prefix string, depth int) []Key {
	if depth > maxSchemaDepth {
		return nil
	}
	var ks []Key
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		k := Key{Name: joinKey(prefix, f.name), Type: typeName(f.typ), Default: defaultText(fv), Doc: f.doc}
		switch f.typ {
		case nestedType:
			k.Type = f.tag.Get("stage")
		case nestedsType:
			k.Type = "list of " + f.tag.Get("stage") + "s"
		}
		if enum := element(f.typ); enumValues(enum) != nil {
			k.Values = enumValues(enum)
		}
		if prefix != "" {
			k.Name = prefix + "." + f.name
		}
		ks = append(ks, k)
		nested, name := fv, k.Name
		for nested.Kind() == reflect.Pointer || nested.Kind() == reflect.Slice || nested.Kind() == reflect.Map {
			switch nested.Kind() {
			case reflect.Slice:
				name += "[]"
			case reflect.Map:
				name += ".*"
			}
			nested = reflect.New(nested.Type().Elem()).Elem()
		}
		if section(nested.Type()) {
			ks = append(ks, keysOf(nested, name, depth+1)...)
		}
	}
	return ks
}

// element returns the type of the innermost element of lists, maps and
// pointers.
func element(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	return t
}

// section reports whether a type is a mapping of keys of its own.
func section(t reflect.Type) bool {
	switch t {
	case secretType, urlType, stageType, nestedType:
		return false
	}
	return t.Kind() == reflect.Struct && !scalar(t)
}

// defaultText prints a default as it would be written in the file; empty when
// it is nothing that anyone would write.
func defaultText(v reflect.Value) string {
	switch {
	case v.Type() == secretType || v.Type() == urlType:
		return v.Interface().(fmt.Stringer).String()
	case v.Type() == durationType:
		return durationText(time.Duration(v.Int()))
	case v.Type() == sizeType:
		return feed.Size(v.Int()).String()
	case v.Type() == stageType, v.Type() == nestedType:
		return ""
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return ""
		}
		return defaultText(v.Elem())
	case v.Kind() == reflect.Slice || v.Kind() == reflect.Map:
		if v.Len() == 0 || section(element(v.Type())) {
			return ""
		}
		return fmt.Sprint(v.Interface())
	case section(v.Type()):
		return ""
	}
	if m, ok := v.Interface().(encoding.TextMarshaler); ok {
		text, err := m.MarshalText()
		if err != nil {
			return ""
		}
		return string(text)
	}
	return fmt.Sprint(v.Interface())
}

// durationText prints a duration without the zeros that Go appends: 30m.
func durationText(d time.Duration) string {
	s := d.String()
	if d != 0 && strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// requiredKeys asks Validate what is wrong with the defaults alone, and with an
// empty element in each list of mappings: a key that it names, and that has no
// value, must be written, unless another one can take its place.
func requiredKeys(f feed.Factory) map[string]bool {
	required := requiredIn(f, "")
	for _, list := range fieldsOf(reflect.TypeOf(f.NewConfig()).Elem()) {
		if list.typ.Kind() != reflect.Slice || !section(list.typ.Elem()) {
			continue
		}
		for key := range requiredIn(f, list.name) {
			required[list.name+"[]."+key] = true
		}
	}
	return required
}

// requiredIn returns the required keys of the configuration, or of an element of
// one of its lists.
func requiredIn(f feed.Factory, list string) map[string]bool {
	fresh := func() (c feed.StageConfig, v reflect.Value, prefix string) {
		c = f.NewConfig()
		v = reflect.ValueOf(c).Elem()
		if list == "" {
			return c, v, ""
		}
		elements, _ := fieldAt(v, list)
		elements.Set(reflect.MakeSlice(elements.Type(), 1, 1))
		return c, elements.Index(0), list + "[0]."
	}
	required := missingKeys(fresh())
	if len(required) == 0 {
		return required
	}
	_, v, _ := fresh()
	for _, other := range fieldsOf(v.Type()) {
		c, v, prefix := fresh()
		if required[other.name] || !setSomething(v.FieldByIndex(other.index)) {
			continue
		}
		still := missingKeys(c, v, prefix)
		for key := range required {
			if !still[key] {
				delete(required, key)
			}
		}
	}
	return required
}

// setSomething gives an empty text a value, and reports whether v was one.
func setSomething(v reflect.Value) bool {
	switch {
	case !v.IsZero():
		return false
	case v.Type() == secretType:
		v.Set(reflect.ValueOf(feed.NewSecret("x")))
	case v.Type() == urlType:
		v.Set(reflect.ValueOf(feed.NewURL("x://x/x")))
	case v.Type() == nestedType:
		v.Set(reflect.ValueOf(feed.Nested{Name: "x"}))
	case v.Kind() == reflect.String && enumValues(v.Type()) == nil:
		v.SetString("x")
	default:
		return false
	}
	return true
}

// missingKeys returns the keys without a value that Validate objects to, of the
// part v of c, whose keys have the prefix.
func missingKeys(c feed.StageConfig, v reflect.Value, prefix string) map[string]bool {
	keys := map[string]bool{}
	for _, err := range flatten(c.Validate()) {
		var ce *feed.ConfigError
		if !errors.As(err, &ce) {
			continue
		}
		key, within := strings.CutPrefix(ce.Key, prefix)
		if !within || key == "" {
			continue
		}
		if value, found := fieldAt(v, key); found && value.IsZero() {
			keys[key] = true
		}
	}
	return keys
}

// fieldAt returns the field of a dotted key.
func fieldAt(v reflect.Value, key string) (reflect.Value, bool) {
	for _, name := range segments(key) {
		if !section(v.Type()) {
			return v, false
		}
		found := false
		for _, f := range fieldsOf(v.Type()) {
			if f.name == name {
				v, found = v.FieldByIndex(f.index), true
				break
			}
		}
		if !found {
			return v, false
		}
	}
	return v, true
}
