package config

import (
	"reflect"
	"strings"
)

// field is a key of a struct.
type field struct {
	name  string
	doc   string
	index []int
	typ   reflect.Type
	tag   reflect.StructTag
}

// fieldsOf lists the keys of a struct in the order of its fields, with those
// of inlined structs in their place. It follows yaml's rules for tags.
func fieldsOf(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name, options, _ := strings.Cut(sf.Tag.Get("yaml"), ",")
		if !sf.IsExported() || name == "-" {
			continue
		}
		if options == "inline" && sf.Type.Kind() == reflect.Struct {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fs = append(fs, f)
			}
			continue
		}
		if name == "" {
			name = strings.ToLower(sf.Name)
		}
		fs = append(fs, field{name: name, doc: sf.Tag.Get("doc"), index: sf.Index, typ: sf.Type, tag: sf.Tag})
	}
	return fs
}

// enumValues returns the texts that a type of Values() takes, or nil.
func enumValues(t reflect.Type) []string {
	if t.Kind() != reflect.String {
		return nil
	}
	if e, ok := reflect.Zero(t).Interface().(interface{ Values() []string }); ok {
		return e.Values()
	}
	return nil
}
